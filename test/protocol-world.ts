/**
 * Fronts, cells and the wires between them on one simulated clock, for test/allocation-protocol.test.ts. Fronts run the real state machine
 * (front/allocation.ts), cells the model that the SQL is held to. Messages are lost, repeated, late without bound and out of order; a front dies
 * between any two steps; a cell dies at any moment, keeps what it has committed and comes back; no two clocks run alike.
 */
import { beginAllocation, step, type Claimed, type End, type Event, type Policy, type Step } from '../src/front/allocation.ts';
import type { Spread } from '../src/contract/resources/constraints.ts';
import { ClaimModel } from './claim-model.ts';

/** Seconds, by the clock of whoever waits. */
const claimLasts = 30;
const askWaits = 2;
const callWaits = 30;
const loopEach = 5;

export interface Network {
  /** Share of messages that are lost, and that come twice. */
  readonly loss: number;
  readonly repeats: number;
  /** Seconds of an ordinary message at most, and of a slow one; how many are slow. */
  readonly delay: number;
  readonly slowest: number;
  readonly slow: number;
}

export interface Call {
  readonly user: string;
  readonly key: string | undefined;
  /** What is asked for; the same key with another request is a mistake of the caller. */
  readonly request: string;
  readonly policy: Policy;
  readonly spread: Spread | undefined;
  readonly sample: number;
  readonly starts: number;
  /** The front dies before it carries out its n-th piece of work; 0: it lives. */
  readonly diesAt: number;
  /** The caller goes after so many seconds. */
  readonly goes: number | undefined;
  /** How fast the front's clock runs. */
  readonly pace: number;
}

export interface CellLife {
  readonly machines: number;
  readonly pace: number;
  /** When it dies, and for how long. */
  readonly outages: readonly { readonly at: number; readonly seconds: number }[];
}

/** What was broken, in words. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A heap of what is due. */
class Agenda {
  readonly #heap: { readonly at: number; readonly nth: number; readonly run: () => void }[] = [];
  #count = 0;

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a]!, this.#heap[b]!];
    return x.at < y.at || (x.at === y.at && x.nth < y.nth);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }

  add(at: number, run: () => void): void {
    let index = this.#heap.push({ at, nth: (this.#count += 1), run }) - 1;
    for (let parent = (index - 1) >> 1; index > 0 && this.#before(index, parent); parent = (index - 1) >> 1) {
      this.#swap(index, parent);
      index = parent;
    }
  }

  next(): { readonly at: number; readonly run: () => void } | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || this.#heap.length === 0) return first;
    this.#heap[0] = last;
    for (let index = 0; ;) {
      const left = index * 2 + 1;
      if (left >= this.#heap.length) return first;
      const least = left + 1 < this.#heap.length && this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(least, index)) return first;
      this.#swap(index, least);
      index = least;
    }
  }
}

interface Cell {
  readonly name: string;
  readonly model: ClaimModel;
  readonly life: CellLife;
  down: boolean;
  /** Claim → when it was taken, by this cell's clock. */
  readonly taken: Map<string, number>;
  /** Claims that were confirmed. */
  readonly kept: Set<string>;
}

export class World {
  now = 0;
  readonly cells = new Map<string, Cell>();
  /** How each call ended; a call that is not here died with its front. */
  readonly ends = new Map<number, End>();
  /** Claim → the call that made it. */
  readonly claimedBy = new Map<string, number>();
  readonly calls: readonly Call[];
  /** Messages under way and calls that have not ended. */
  #busy = 0;
  readonly #agenda = new Agenda();
  readonly #dice: () => number;
  readonly #network: Network;

  constructor(cells: readonly CellLife[], calls: readonly Call[], network: Network, seed: number) {
    this.#dice = random(seed);
    this.#network = network;
    this.calls = calls;
    cells.forEach((life, at) => {
      const name = `c${at}`;
      const model = new ClaimModel(Array.from({ length: life.machines }, (_, n) => `${name}m${n}`));
      const cell: Cell = { name, model, life, down: false, taken: new Map(), kept: new Set() };
      this.cells.set(name, cell);
      for (const { at: from, seconds } of life.outages) {
        this.#agenda.add(from, () => (cell.down = true));
        this.#agenda.add(from + seconds, () => (cell.down = false));
      }
    });
    calls.forEach((call, at) => this.#later(call.starts, () => this.#allocate(call, at)));
  }

  /** Until nothing is under way any more, and then as long as the loops of the cells need. */
  run(): void {
    for (const cell of this.cells.values()) this.#loop(cell);
    for (let due = this.#agenda.next(); due !== undefined; due = this.#agenda.next()) {
      this.now = Math.max(this.now, due.at);
      due.run();
    }
  }

  /** The time by a cell's own clock. */
  #clock(cell: Cell): number {
    return this.now * cell.life.pace;
  }

  /** A cell's loop over claims goes on while anything can still be held. */
  #loop(cell: Cell): void {
    const { model, taken } = cell;
    if (!cell.down) {
      for (const [claim, since] of taken) {
        if (model.standing(claim) !== 'held') taken.delete(claim);
        else if (this.#clock(cell) - since >= claimLasts) {
          model.lapse(claim);
          taken.delete(claim);
        }
      }
    }
    if (this.#busy > 0 || taken.size > 0) this.#agenda.add(this.now + loopEach / cell.life.pace, () => this.#loop(cell));
  }

  #later(seconds: number, run: () => void): void {
    this.#busy += 1;
    this.#agenda.add(this.now + seconds, () => {
      this.#busy -= 1;
      run();
    });
  }

  #delay(): number {
    const { delay, slowest, slow } = this.#network;
    return this.#dice() < slow ? this.#dice() * slowest : this.#dice() * delay;
  }

  #send(deliver: () => void): void {
    const { loss, repeats } = this.#network;
    if (this.#dice() >= loss) this.#later(this.#delay(), deliver);
    if (this.#dice() < repeats) this.#later(this.#delay(), deliver);
  }

  /** To a cell and back. A cell that is down hears nothing; one that dies between doing and answering is a lost answer. */
  #ask(name: string, work: (cell: Cell) => Event | undefined, tell: (event: Event) => void): void {
    const cell = this.cells.get(name)!;
    this.#send(() => {
      if (cell.down) return;
      const said = work(cell);
      this.#check(cell);
      if (said) this.#send(() => tell(said));
    });
  }

  /** No machine with two claims that may have it, no claim that had two machines, and no confirmed one that lost its own. */
  #check({ model, name, kept }: Cell): void {
    const holders = new Map<string, string>();
    for (const [claim, { standing, machine, takes }] of model.claims) {
      if (takes > 1) throw new Broken(`claim ${claim} took ${takes} machines of ${name}`);
      if (standing === 'kept') kept.add(claim);
      else if (kept.has(claim)) throw new Broken(`claim ${claim} was confirmed and then lost its machine ${machine}`);
      if (machine === undefined || (standing !== 'held' && standing !== 'kept')) continue;
      const other = holders.get(machine);
      if (other !== undefined) throw new Broken(`machine ${machine} of ${name} has two owners: claims ${other} and ${claim}`);
      holders.set(machine, claim);
    }
  }

  #offer({ model, name }: Cell, call: Call): Event {
    const cost = model.best() === undefined ? null : Number(name.slice(1));
    const held = [...model.claims.values()].filter(
      (one) => one.owner === call.user && (one.standing === 'held' || one.standing === 'kept'),
    );
    const groups = call.spread === undefined ? {} : { groups: [{ name: call.spread === 'cell' ? '' : 'only', held: held.length, cost }] };
    const settled = call.key === undefined ? undefined : model.keys.get(`${call.user} ${call.key}`);
    return {
      kind: 'offer',
      cell: name,
      offer: { cost, ...groups },
      ...(settled ? { settled: { ...settled, same: settled.request === call.request } } : {}),
    };
  }

  #allocate(call: Call, nth: number): void {
    const names = [...this.cells.keys()];
    // Every front finds the same home for a key, and asks in its own order besides.
    const home =
      call.key === undefined
        ? undefined
        : names[[...`${call.user} ${call.key}`].reduce((sum, one) => sum + one.charCodeAt(0), 0) % names.length];
    const others = names.filter((name) => name !== home);
    for (let at = others.length - 1; at > 0; at -= 1) {
      const other = Math.floor(this.#dice() * (at + 1));
      [others[at], others[other]] = [others[other]!, others[at]!];
    }
    const { policy, sample, spread } = call;
    const claimId = (n: number): string => {
      const id = `call${nth}claim${n}`;
      this.claimedBy.set(id, nth);
      return id;
    };
    const cells = home === undefined ? others : [home, ...others];
    let [state, todos] = beginAllocation({ policy, cells, sample: Math.max(1, sample), spread, home, claimId });
    let left = call.diesAt;
    let dead = false;
    const front = (seconds: number, run: () => void): void => this.#later(seconds / call.pace, () => (dead ? undefined : run()));
    const tell = (event: Event): void => {
      if (dead || this.ends.has(nth)) return;
      const turn = step(state, event);
      state = turn[0];
      carryOut(turn[1]);
    };
    const carryOut = (steps: readonly Step[]): void => {
      for (const todo of steps) {
        left -= 1;
        if (left === 0) dead = true;
        if (dead) return;
        this.#carryOut(todo, call, nth, { tell, front });
      }
    };
    carryOut(todos);
    todos = [];
    if (call.goes !== undefined) front(call.goes, () => tell({ kind: 'gone' }));
  }

  #carryOut(
    todo: Step,
    call: Call,
    nth: number,
    { tell, front }: { readonly tell: (event: Event) => void; readonly front: (seconds: number, run: () => void) => void },
  ): void {
    const { user } = call;
    if (todo.do === 'ask') {
      for (const name of todo.cells) {
        this.#ask(name, (cell) => this.#offer(cell, call), tell);
        front(askWaits, () => tell({ kind: 'no_offer', cell: name }));
      }
    } else if (todo.do === 'claim') {
      const { claim } = todo;
      const work = (cell: Cell): Event => {
        const said = cell.model.claim(claim, user);
        if (!cell.taken.has(claim)) cell.taken.set(claim, this.#clock(cell));
        return said.is === 'machine' ? { kind: 'claimed', claim, machine: said.machine } : { kind: 'claim_refused', claim };
      };
      this.#ask(todo.cell, work, tell);
      front(callWaits, () => tell({ kind: 'claim_unknown', claim }));
    } else if (todo.do === 'confirm') {
      const { claim, attempt, cell: name } = todo;
      const work = (cell: Cell): Event => ({
        kind: cell.model.confirm(claim, user).is === 'machine' ? 'confirmed' : 'confirm_refused',
        claim,
      });
      front(attempt > 1 ? 0.2 * attempt : 0, () => {
        this.#ask(name, work, tell);
        front(callWaits, () => tell({ kind: 'confirm_unknown', claim, attempt }));
      });
    } else if (todo.do === 'settle') {
      const { claimed, insteadOf, attempt, home } = todo;
      const { claim } = claimed;
      const work = (cell: Cell): Event => {
        const winner = cell.model.settle(`${user} ${call.key}`, { ...claimed, request: call.request }, insteadOf);
        return winner ? { kind: 'settled', claim, winner } : { kind: 'settle_mismatch', claim };
      };
      front(attempt > 1 ? 0.2 * attempt : 0, () => {
        this.#ask(home, work, tell);
        front(askWaits, () => tell({ kind: 'settle_unknown', claim, attempt }));
      });
    } else if (todo.do === 'free') {
      this.#ask(todo.cell, (cell) => void cell.model.free(todo.claim, user), tell);
    } else this.ends.set(nth, todo);
  }

  /** The machines that were confirmed by these calls' claims. */
  kept(calls: readonly number[]): string[] {
    const found: string[] = [];
    for (const { model } of this.cells.values()) {
      for (const [claim, { standing, machine }] of model.claims) {
        if ((standing === 'kept' || standing === 'spent') && calls.includes(this.claimedBy.get(claim) ?? -1)) found.push(machine ?? '');
      }
    }
    return found;
  }

  /** Machines that somebody still holds without having confirmed them. */
  held(): string[] {
    return [...this.cells.values()].flatMap(({ model }) =>
      [...model.holders].filter(([, claim]) => model.standing(claim) === 'held').map(([machine]) => machine),
    );
  }

  /** Who has this machine for good; undefined: nobody. */
  keeper({ cell, machine }: Pick<Claimed, 'cell' | 'machine'>): string | undefined {
    const model = this.cells.get(cell)?.model;
    const claim = model?.holders.get(machine);
    return claim !== undefined && model?.standing(claim) === 'kept' ? claim : undefined;
  }
}
