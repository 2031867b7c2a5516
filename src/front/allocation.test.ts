import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginAllocation, confirmAttempts, step, type Allocation, type Event, type Policy, type Step } from './allocation.ts';

/** Walks events through and gives the steps. */
function walk(policy: Policy, cells: string[], events: Event[]): Step[] {
  let state = beginAllocation(policy, cells);
  return events.map((event) => {
    const [next, todo] = step(state, event);
    state = next;
    return todo;
  });
}

const offer = (cell: string, cost: number | null): Event => ({ kind: 'offer', cell, offer: { cost } });

describe('the order of things', () => {
  test('best waits for all offers and takes the cheapest; first takes what comes', () => {
    const offers = [offer('a', 5), offer('b', 2)];
    expect(walk('best', ['a', 'b'], offers)).toEqual([{ do: 'wait' }, { do: 'claim', cell: 'b' }]);
    expect(walk('first', ['a', 'b'], offers)).toEqual([{ do: 'claim', cell: 'a' }, { do: 'wait' }]);
  });

  test('refused or unknown: the next cell; nothing left: nothing fits', () => {
    const events: Event[] = [offer('a', 1), offer('b', 2), { kind: 'claim_refused', cell: 'a' }, { kind: 'claim_unknown', cell: 'b' }];
    expect(walk('best', ['a', 'b'], events).slice(1)).toEqual([
      { do: 'claim', cell: 'a' },
      { do: 'claim', cell: 'b' },
      { do: 'nothing_fits', unsure: true },
    ]);
  });

  test('a confirm of unknown outcome goes to the same cell again, and then is given up with the machine named', () => {
    const unknown: Event = { kind: 'confirm_unknown', cell: 'a' };
    const steps = walk(
      'best',
      ['a', 'b'],
      [offer('a', 1), offer('b', 2), { kind: 'claimed', cell: 'a', machine: 'm' }, unknown, unknown, unknown],
    );
    expect(steps.slice(2)).toEqual([
      { do: 'confirm', cell: 'a', attempt: 1 },
      { do: 'confirm', cell: 'a', attempt: 2 },
      { do: 'confirm', cell: 'a', attempt: confirmAttempts },
      { do: 'give_up', cell: 'a', machine: 'm' },
    ]);
  });

  test('a caller that goes before the confirm gets none', () => {
    expect(walk('first', ['a'], [offer('a', 1), { kind: 'gone' }, { kind: 'claimed', cell: 'a', machine: 'm' }]).slice(1)).toEqual([
      { do: 'abandon' },
      { do: 'wait' },
    ]);
  });
});

/** Seconds that a claim lasts, and that the front waits for an answer. */
const claimLasts = 30;
const frontWaits = 5;
/** The slowest message. Slower than a claim lasts, a repeated claim could take a second machine: HTTP repeats none, and no wire is so slow. */
const slowest = 14;

interface Machine {
  readonly name: string;
  claim: string | undefined;
  until: number;
  owner: string | undefined;
}

/** Cells, wires and fronts on one clock. Messages are lost, repeated and late as the random numbers say. */
class World {
  now = 0;
  readonly #due: { readonly at: number; readonly run: () => void }[] = [];
  readonly cells = new Map<string, Machine[]>();
  readonly ends = new Map<string, Step>();
  readonly confirmed = new Set<string>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  later(seconds: number, run: () => void): void {
    this.#due.push({ at: this.now + seconds, run });
  }

  run(): void {
    for (
      let next = this.#due.sort((a, b) => a.at - b.at).shift();
      next !== undefined;
      next = this.#due.sort((a, b) => a.at - b.at).shift()
    ) {
      this.now = next.at;
      next.run();
    }
  }

  /** A message: lost with 15 %, sent twice with 15 %, always late. */
  send(deliver: () => void): void {
    const luck = this.#random();
    if (luck < 0.15) return;
    this.later(this.#random() ** 3 * slowest, deliver);
    if (luck > 0.85) this.later(this.#random() ** 3 * slowest, deliver);
  }

  /** A request and its answer; what is late for the front is `otherwise`. Late and repeated answers reach the state machine as well. */
  ask(answer: () => Event, otherwise: Event, tell: (event: Event) => void): void {
    this.send(() => {
      const said = answer();
      this.send(() => tell(said));
    });
    this.later(frontWaits, () => tell(otherwise));
  }

  free(machine: Machine): boolean {
    return machine.owner === undefined && (machine.claim === undefined || machine.until <= this.now);
  }

  claim(cell: string, claim: string): Event {
    const machines = this.cells.get(cell)!;
    const mine = machines.find((one) => one.claim === claim && (one.owner === claim || one.until > this.now));
    const machine = mine ?? machines.find((one) => this.free(one));
    if (!machine) return { kind: 'claim_refused', cell };
    if (!mine) Object.assign(machine, { claim, until: this.now + claimLasts });
    return { kind: 'claimed', cell, machine: machine.name };
  }

  confirm(cell: string, claim: string): Event {
    const machine = this.cells.get(cell)!.find((one) => one.claim === claim && (one.owner === claim || one.until > this.now));
    if (!machine) return { kind: 'confirm_refused', cell };
    machine.owner = claim;
    return { kind: 'confirmed', cell };
  }

  /** One allocation, until it ends, or its front dies at `dies`, or the caller goes at `goes`. */
  allocate(claim: string, policy: Policy, dies: number, goes: number): void {
    let state: Allocation = beginAllocation(policy, [...this.cells.keys()]);
    const tell = (event: Event): void => {
      if (this.now >= dies || this.ends.has(claim)) return;
      const [next, todo] = step(state, event);
      state = next;
      if (todo.do === 'claim') {
        const { cell } = todo;
        this.ask(() => this.claim(cell, claim), { kind: 'claim_unknown', cell }, tell);
      } else if (todo.do === 'confirm') {
        const { cell, attempt } = todo;
        this.confirmed.add(claim);
        const answer = (event: Event): void => {
          // Each attempt has its own answer: a time-out of the first says nothing of the second.
          const current = state.phase.name === 'confirming' && state.phase.attempt === attempt;
          if (current || event.kind === 'confirmed') tell(event);
        };
        this.ask(() => this.confirm(cell, claim), { kind: 'confirm_unknown', cell }, answer);
      } else if (todo.do !== 'wait') this.ends.set(claim, todo);
    };
    for (const [cell, machines] of this.cells) {
      const offered = (): Event => ({
        kind: 'offer',
        cell,
        offer: { cost: machines.some((one) => this.free(one)) ? machines.length : null },
      });
      this.ask(offered, { kind: 'no_offer', cell }, tell);
    }
    this.later(goes, () => tell({ kind: 'gone' }));
  }
}

const life = fc.record({
  policy: fc.constantFrom<Policy>('best', 'first'),
  starts: fc.integer({ min: 0, max: 40 }),
  /** Most fronts live and most callers wait. */
  dies: fc.oneof({ weight: 3, arbitrary: fc.constant(1_000) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 80 }) }),
  goes: fc.oneof({ weight: 3, arbitrary: fc.constant(1_000) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 60 }) }),
});

test('whatever is lost, repeated, late or dies: one machine for one caller, or none, and nothing stays claimed', () => {
  const outcomes = new Set<string>();
  const property = fc.property(
    fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
    fc.array(life, { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    (sizes, lives, seed) => {
      let drawn = seed;
      const world = new World(() => (drawn = (drawn * 48_271) % 2_147_483_647) / 2_147_483_647);
      sizes.forEach((size, at) =>
        world.cells.set(
          `c${at}`,
          Array.from({ length: size }, (_, n) => ({ name: `c${at}m${n}`, claim: undefined, until: 0, owner: undefined })),
        ),
      );
      lives.forEach(({ policy, starts, dies, goes }, at) =>
        world.later(starts, () => world.allocate(`claim${at}`, policy, starts + dies, goes)),
      );
      world.run();
      const machines = [...world.cells.values()].flat();
      lives.forEach((_, at) => {
        const claim = `claim${at}`;
        const owned = machines.filter((machine) => machine.owner === claim).map(({ name }) => name);
        const end = world.ends.get(claim);
        outcomes.add(end?.do ?? 'died');
        expect(owned.length).toBeLessThanOrEqual(1);
        if (owned.length > 0) expect(world.confirmed).toContain(claim);
        if (end?.do === 'deliver') expect(owned).toEqual([end.machine]);
        if (end?.do === 'give_up') expect([[], [end.machine]]).toContainEqual(owned);
        if (end?.do === 'nothing_fits' || end?.do === 'abandon') expect(owned).toEqual([]);
      });
      world.now += claimLasts;
      for (const machine of machines) expect(machine.owner !== undefined || world.free(machine)).toBe(true);
    },
  );
  fc.assert(property, { numRuns: 2_000 });
  // The network was bad enough to see every end.
  expect([...outcomes].sort()).toEqual(['abandon', 'deliver', 'died', 'give_up', 'nothing_fits']);
});
