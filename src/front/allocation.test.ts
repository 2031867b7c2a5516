/** The order of things. What holds whatever goes wrong is tested in test/allocation-protocol.test.ts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginAllocation, confirmAttempts, step, type Event, type Plan, type Step } from './allocation.ts';

const usual: Plan = { policy: 'best', cells: ['a', 'b'], sample: 8, claimId: (n) => `claim${n}` };

/** Walks events through and gives the steps, those of the beginning first. */
function walk(plan: Partial<Plan>, events: Event[]): (readonly Step[])[] {
  let [state, steps] = beginAllocation({ ...usual, ...plan });
  return [
    steps,
    ...events.map((event) => {
      [state, steps] = step(state, event);
      return steps;
    }),
  ];
}

const offer = (cell: string, cost: number | null): Event => ({ kind: 'offer', cell, offer: { cost } });
const claim = (cell: string, n: number): Step => ({ do: 'claim', cell, group: undefined, claim: `claim${n}` });

describe('ask, claim, confirm', () => {
  test('best waits for all offers and takes the cheapest; first takes what comes', () => {
    const offers = [offer('a', 5), offer('b', 2)];
    expect(walk({}, offers)).toEqual([[{ do: 'ask', cells: ['a', 'b'] }], [], [claim('b', 1)]]);
    expect(walk({ policy: 'first' }, offers).slice(1)).toEqual([[claim('a', 1)], []]);
  });

  test('refused: the next cell with a claim of its own; unknown: freed, and the next cell; nothing left: nothing fits', () => {
    const events: Event[] = [
      offer('a', 1),
      offer('b', 2),
      { kind: 'claim_refused', claim: 'claim1' },
      { kind: 'claim_unknown', claim: 'claim2' },
    ];
    expect(walk({}, events).slice(2)).toEqual([
      [claim('a', 1)],
      [claim('b', 2)],
      [
        { do: 'free', cell: 'b', claim: 'claim2' },
        { do: 'nothing_fits', unsure: true },
      ],
    ]);
  });

  test('a confirm of unknown outcome goes to the same cell again, and then is given up with the machine named', () => {
    const unknown = (attempt: number): Event => ({ kind: 'confirm_unknown', claim: 'claim1', attempt });
    const events: Event[] = [offer('a', 1), offer('b', 2), { kind: 'claimed', claim: 'claim1', machine: 'm' }];
    const steps = walk({}, [...events, unknown(1), unknown(1), unknown(2), unknown(3)]);
    const confirm = (attempt: number): Step => ({ do: 'confirm', cell: 'a', claim: 'claim1', attempt });
    expect(steps.slice(3)).toEqual([
      [confirm(1)],
      [confirm(2)],
      [],
      [confirm(confirmAttempts)],
      [{ do: 'give_up', cell: 'a', claim: 'claim1', machine: 'm' }],
    ]);
  });

  test('a caller that goes before the confirm gets none, and its claim is freed', () => {
    const events: Event[] = [offer('a', 1), { kind: 'gone' }, { kind: 'claimed', claim: 'claim1', machine: 'm' }];
    expect(walk({ cells: ['a'] }, events).slice(2)).toEqual([[{ do: 'free', cell: 'a', claim: 'claim1' }, { do: 'abandon' }], []]);
  });
});

describe('a sample', () => {
  test('widens by doubling, and only when all were asked does nothing fit', () => {
    const cells = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const steps = walk(
      { cells, sample: 2 },
      cells.map((cell) => offer(cell, null)),
    );
    expect(steps.flat()).toEqual([
      { do: 'ask', cells: ['a', 'b'] },
      { do: 'ask', cells: ['c', 'd'] },
      { do: 'ask', cells: ['e', 'f', 'g'] },
      { do: 'nothing_fits', unsure: false },
    ]);
  });

  test('widens when what it offered was refused', () => {
    const events: Event[] = [offer('a', 3), { kind: 'claim_refused', claim: 'claim1' }, offer('b', 9)];
    expect(walk({ sample: 1 }, events)).toEqual([
      [{ do: 'ask', cells: ['a'] }],
      [claim('a', 1)],
      [{ do: 'ask', cells: ['b'] }],
      [claim('b', 2)],
    ]);
  });

  test('whoever does not fit is asked at most once, all are asked before nothing fits, whatever the sample', () => {
    const property = fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 70 }), (size, sample) => {
      const cells = Array.from({ length: size }, (_, n) => `c${n}`);
      let [state, steps] = beginAllocation({ ...usual, cells, sample });
      const asked: string[] = [];
      for (let at = 0; at < steps.length; at += 1) {
        const todo = steps[at];
        if (todo?.do !== 'ask') break;
        asked.push(...todo.cells);
        for (const cell of todo.cells) [state, steps] = step(state, offer(cell, null));
        at = -1;
      }
      expect(steps).toEqual([{ do: 'nothing_fits', unsure: false }]);
      expect(asked).toEqual(cells);
    });
    fc.assert(property, { numRuns: 200 });
  });
});

describe('an Idempotency-Key', () => {
  const keyed = { home: 'a' };
  const settle = (insteadOf?: string, attempt = 1): Step => ({
    do: 'settle',
    home: 'a',
    claimed: { cell: 'b', claim: 'claim1', machine: 'm' },
    insteadOf,
    attempt,
  });
  const before: Event[] = [offer('a', 9), offer('b', 1), { kind: 'claimed', claim: 'claim1', machine: 'm' }];

  test('is settled before the confirm', () => {
    const won: Event = { kind: 'settled', claim: 'claim1', winner: { cell: 'b', claim: 'claim1', machine: 'm' } };
    expect(walk(keyed, [...before, won]).slice(3)).toEqual([[settle()], [{ do: 'confirm', cell: 'b', claim: 'claim1', attempt: 1 }]]);
  });

  test('that another front settled first: its claim is confirmed, and the own one freed', () => {
    const lost: Event = { kind: 'settled', claim: 'claim1', winner: { cell: 'a', claim: 'theirs', machine: 'n' } };
    const steps = walk(keyed, [...before, lost, { kind: 'confirmed', claim: 'theirs' }]);
    expect(steps.slice(4)).toEqual([
      [
        { do: 'free', cell: 'b', claim: 'claim1' },
        { do: 'confirm', cell: 'a', claim: 'theirs', attempt: 1 },
      ],
      [{ do: 'deliver', cell: 'a', claim: 'theirs', machine: 'n' }],
    ]);
  });

  test('of an earlier call is confirmed at once; over, it is taken from it', () => {
    const known: Event = { ...offer('a', 9), settled: { cell: 'b', claim: 'old', machine: 'm', same: true } } as Event;
    const events: Event[] = [
      known,
      offer('b', 1),
      { kind: 'confirm_refused', claim: 'old' },
      { kind: 'claimed', claim: 'claim1', machine: 'm' },
    ];
    expect(walk(keyed, events).slice(2)).toEqual([
      [{ do: 'confirm', cell: 'b', claim: 'old', attempt: 1 }],
      [claim('b', 1)],
      [settle('old')],
    ]);
  });

  test('is refused for another request, and while its home is absent', () => {
    const other: Event = { ...offer('a', 9), settled: { cell: 'b', claim: 'old', machine: 'm', same: false } } as Event;
    expect(walk(keyed, [other, offer('b', 1)]).at(-1)).toEqual([{ do: 'key_mismatch' }]);
    expect(walk(keyed, [{ kind: 'no_offer', cell: 'a' }, offer('b', 1)]).at(-1)).toEqual([{ do: 'key_absent', home: 'a' }]);
    const unknown = (attempt: number): Event => ({ kind: 'settle_unknown', claim: 'claim1', attempt });
    expect(walk(keyed, [...before, unknown(1), unknown(2), unknown(3)]).slice(4)).toEqual([
      [settle(undefined, 2)],
      [settle(undefined, 3)],
      [
        { do: 'free', cell: 'b', claim: 'claim1' },
        { do: 'key_absent', home: 'a' },
      ],
    ]);
  });
});
