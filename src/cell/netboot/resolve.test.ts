import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BootFacts } from '../../contract/boot.ts';
import { machineStates } from '../../contract/lifecycle.ts';
import { resolveBoot } from './resolve.ts';

const facts: fc.Arbitrary<BootFacts> = fc
  .record({
    machine: fc.option(
      fc.record({ state: fc.constantFrom(...machineStates), locked: fc.boolean(), movedAway: fc.boolean(), ephemeral: fc.boolean() }),
      { nil: undefined },
    ),
    ticket: fc.option(
      fc.record({ purpose: fc.constantFrom('commission' as const, 'test' as const, 'deploy' as const, 'erase' as const) }),
      { nil: undefined },
    ),
    enlists: fc.boolean(),
    unsure: fc.boolean(),
  })
  .map(({ machine, ticket, ...rest }) => ({ ...rest, ...(machine && { machine }), ...(ticket && { ticket }) }));

test('without a live ticket of a known machine no environment that may write is ever given', () => {
  fc.assert(
    fc.property(facts, (any) => {
      const { answer } = resolveBoot(any);
      if (answer.boot === 'environment') {
        expect(any.machine).toBeDefined();
        expect(answer.purpose).toBe(any.ticket?.purpose);
        expect(any.machine!.locked || any.machine!.movedAway).toBe(false);
      }
    }),
    { numRuns: 2000 },
  );
});

test('unsure and without a ticket: the local disk, or the rescue that stands and writes nothing', () => {
  fc.assert(
    fc.property(facts, (any) => {
      const { ticket: _, ...without } = any;
      const { answer } = resolveBoot({ ...without, unsure: true });
      expect(['local', 'standing']).toContain(answer.boot);
    }),
    { numRuns: 2000 },
  );
});

const machine = { locked: false, movedAway: false, ephemeral: false };
test.each([
  ['ready without ticket', { machine: { ...machine, state: 'ready' } }, { boot: 'off' }],
  ['new without ticket', { machine: { ...machine, state: 'new' } }, { boot: 'off' }],
  ['deployed', { machine: { ...machine, state: 'deployed' } }, { boot: 'local' }],
  ['deploying with its ticket spent', { machine: { ...machine, state: 'deploying' } }, { boot: 'local' }],
  [
    'deploying with a ticket',
    { machine: { ...machine, state: 'deploying' }, ticket: { purpose: 'deploy' } },
    { boot: 'environment', purpose: 'deploy' },
  ],
  ['locked with a ticket', { machine: { ...machine, state: 'deployed', locked: true }, ticket: { purpose: 'erase' } }, { boot: 'local' }],
  ['rescue', { machine: { ...machine, state: 'rescue_mode' } }, { boot: 'standing', purpose: 'rescue' }],
  ['unknown where machines are enlisted', { enlists: true }, { boot: 'enlist' }],
  ['unknown elsewhere', {}, { boot: 'local' }],
] as const)('%s', (_, given, answer) => {
  expect(resolveBoot({ enlists: false, unsure: false, ...given }).answer).toEqual(answer);
});
