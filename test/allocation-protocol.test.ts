/**
 * The allocation protocol over a bad network, thousands of times (architecture §8): the front's real state machine against cells that follow the
 * rules which the SQL is held to. See protocol-world.ts for what can go wrong.
 */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { Broken, World, type Call, type CellLife, type Network } from './protocol-world.ts';

// Half a millisecond of CPU a run, on a machine that may be busy with everything else.
vi.setConfig({ testTimeout: 120_000 });

const calm: Network = { loss: 0, repeats: 0, delay: 0.2, slowest: 0.2, slow: 0 };
/** Slow messages outlive every time-out there is. */
const networkParts = {
  loss: fc.constantFrom(0, 0.05, 0.2, 0.4),
  repeats: fc.constantFrom(0, 0.1, 0.4),
  delay: fc.constantFrom(0.1, 3, 30),
  slowest: fc.constantFrom(60, 600, 50_000),
  slow: fc.constantFrom(0, 0.05, 0.3),
};
const network: fc.Arbitrary<Network> = fc.record(networkParts);
const pace = fc.constantFrom(0.7, 1, 1, 1.4);
const often = <T>(usual: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

const cell: fc.Arbitrary<CellLife> = fc.record({
  machines: fc.integer({ min: 0, max: 3 }),
  pace,
  outages: fc.array(fc.record({ at: fc.integer({ min: 0, max: 100 }), seconds: fc.integer({ min: 1, max: 90 }) }), { maxLength: 2 }),
});

const call: fc.Arbitrary<Call> = fc.record({
  user: fc.constantFrom('ann', 'ann', 'bob'),
  key: fc.constantFrom(undefined, 'k', 'k', 'l'),
  request: fc.constantFrom('r', 'r', 'r', 'r', 'r', 'r', 'other'),
  policy: fc.constantFrom('best' as const, 'first' as const),
  spread: often<Call['spread']>(undefined, fc.constantFrom('cell' as const, 'zone' as const)),
  sample: fc.constantFrom(1, 2, 8),
  starts: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 120 })),
  diesAt: often(0, fc.integer({ min: 1, max: 9 })),
  goes: often<number | undefined>(undefined, fc.integer({ min: 0, max: 60 })),
  pace,
});

function broken(what: string, ...facts: unknown[]): never {
  throw new Broken(`${what}: ${JSON.stringify(facts)}`);
}

/** What must hold when everything has come to rest. */
function judge(world: World, outcomes: Set<string>): void {
  if (world.held().length > 0) broken('a claim was never freed', world.held());
  const deliveredTo = new Map<string, string>();
  world.calls.forEach((one, nth) => {
    const end = world.ends.get(nth);
    outcomes.add(`${end?.do ?? 'died'}${one.key === undefined ? '' : ' keyed'}`);
    const owner = one.key === undefined ? `call ${nth}` : `${one.user} ${one.key}`;
    if (end?.do === 'deliver') {
      // An acknowledged allocation is never lost, and nobody else is ever told of that machine.
      if (world.keeper(end) !== end.claim) broken('an acknowledged allocation was lost', end, world.keeper(end));
      const other = deliveredTo.get(end.machine) ?? owner;
      if (other !== owner) broken('one machine was given to two callers', end, other, owner);
      deliveredTo.set(end.machine, owner);
    }
    // What racing calls of one key are told depends on all of them: judged below.
    if (one.key !== undefined && world.calls.some((other, at) => at !== nth && other.user === one.user && other.key === one.key)) return;
    const kept = world.kept([nth]);
    if (kept.length > 1) broken('one call took several machines', nth, kept);
    if (end?.do === 'deliver' && kept[0] !== end.machine) broken('another machine was told than taken', end, kept);
    if (end?.do === 'give_up' && kept.length > 0 && kept[0] !== end.machine) broken('the wrong machine was named', end, kept);
    if (end !== undefined && end.do !== 'deliver' && end.do !== 'give_up' && kept.length > 0) broken('told "none" and took one', end, kept);
  });
  for (const name of new Set(world.calls.flatMap(({ user, key }) => (key === undefined ? [] : [`${user} ${key}`])))) {
    const calls = world.calls.flatMap(({ user, key }, nth) => (`${user} ${key}` === name ? [nth] : []));
    const kept = world.kept(calls);
    if (kept.length > 1) broken('one Idempotency-Key took several machines', name, kept);
    for (const nth of calls) {
      const end = world.ends.get(nth);
      if (end?.do === 'deliver' && end.machine !== kept[0]) broken('a key was told another machine than it took', end, kept);
    }
  }
}

/** The run that failed, again: both values are in the text of the failure. */
const replay = { seed: process.env['MUSTER_PROTOCOL_SEED'], path: process.env['MUSTER_PROTOCOL_PATH'] };

function failureOf<T>(property: fc.IProperty<T>, numRuns: number): string | undefined {
  const again = {
    ...(replay.seed === undefined ? {} : { seed: Number(replay.seed) }),
    ...(replay.path === undefined ? {} : { path: replay.path }),
  };
  const details = fc.check(property, { numRuns, ...again });
  if (!details.failed) return undefined;
  const command = `MUSTER_PROTOCOL_SEED=${details.seed} MUSTER_PROTOCOL_PATH=${details.counterexamplePath ?? ''} npm run unit -- test/allocation-protocol.test.ts -t '${expect.getState().currentTestName ?? ''}'`;
  const why = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  return `The allocation protocol broke: ${why}\nThis run again:\n  ${command}\n${fc.defaultReportMessage(details)}`;
}

test('whatever is lost, repeated, late or dies: one machine for one call or one key, and nothing stays claimed', () => {
  const outcomes = new Set<string>();
  const property = fc.property(
    fc.array(cell, { minLength: 1, maxLength: 5 }),
    fc.array(call, { minLength: 1, maxLength: 6 }),
    network,
    fc.nat(),
    (cells, calls, wires, seed) => {
      const world = new World(cells, calls, wires, seed);
      world.run();
      judge(world, outcomes);
    },
  );
  expect(failureOf(property, 4_000)).toBeUndefined();
  if (replay.path !== undefined) return;
  // The network was bad enough to see every end.
  const keyed = ['abandon', 'deliver', 'died', 'give_up', 'key_absent', 'key_mismatch', 'nothing_fits'].map((end) => `${end} keyed`);
  expect([...outcomes].sort()).toEqual(['abandon', 'deliver', 'died', 'give_up', 'nothing_fits', ...keyed].sort());
});

test('one key at several fronts at the same moment, and again and again: one machine', () => {
  const again = fc.record({
    policy: fc.constant('best' as const),
    starts: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20 })),
    diesAt: often(0, fc.integer({ min: 1, max: 9 })),
    goes: often<number | undefined>(undefined, fc.double({ min: 0, max: 4, noNaN: true })),
    sample: fc.constantFrom(1, 8),
    pace,
  });
  const same = { user: 'ann', key: 'k', request: 'r', spread: undefined };
  const property = fc.property(
    fc.array(cell, { minLength: 1, maxLength: 3 }),
    fc.array(again, { minLength: 2, maxLength: 5 }),
    fc.record({ ...networkParts, delay: fc.constantFrom(0.1, 1, 3) }),
    fc.nat(),
    (cells, calls, wires, seed) => {
      const world = new World(
        cells,
        calls.map((one) => ({ ...one, ...same })),
        wires,
        seed,
      );
      world.run();
      judge(world, new Set());
    },
  );
  expect(failureOf(property, 3_000)).toBeUndefined();
});

test('a good network and machines enough: every call gets one', () => {
  const property = fc.property(
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
    fc.array(call, { minLength: 1, maxLength: 15 }),
    fc.nat(),
    (sizes, given, seed) => {
      const cells = sizes.map((machines) => ({ machines, pace: 1, outages: [] }));
      const room = sizes.reduce((sum, size) => sum + size, 0);
      const calls = given.slice(0, room).map((one) => ({ ...one, request: 'r', diesAt: 0, goes: undefined, pace: 1 }));
      const world = new World(cells, calls, calm, seed);
      world.run();
      judge(world, new Set());
      calls.forEach((one, nth) => {
        const end = world.ends.get(nth);
        if (end?.do !== 'deliver') broken('a machine was free and the call did not get it', nth, one, end);
      });
    },
  );
  expect(failureOf(property, 1_000)).toBeUndefined();
});
