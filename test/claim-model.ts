/**
 * What a cell does with claims and keys, as a model in memory: machines that are all alike, and the rules of cell/db/claim-rules.ts. The SQL
 * is held to it by src/cell/allocate/claim-rules.test.ts; test/allocation-protocol.test.ts runs its cells on it.
 */
import { claimRules, type ClaimCommand, type Standing } from '../src/cell/db/claim-rules.ts';

export type ClaimAnswer =
  | { readonly is: 'machine'; readonly machine: string }
  /** `stranger`: it is somebody else's claim. */
  | { readonly is: 'refused' | 'over' | 'kept' | 'stranger' };

interface Claim {
  readonly owner: string;
  standing: Exclude<Standing, 'none'>;
  machine: string | undefined;
  /** How often it took a machine; a table that lets it be more than once is wrong. */
  takes: number;
}

export interface Settled {
  readonly cell: string;
  readonly claim: string;
  readonly machine: string;
  readonly request: string;
}

export class ClaimModel {
  readonly claims = new Map<string, Claim>();
  readonly keys = new Map<string, Settled>();
  readonly #machines: readonly string[];
  /** Machine → the claim that has it. */
  readonly holders = new Map<string, string>();

  constructor(machines: readonly string[]) {
    this.#machines = machines;
  }

  /** The first machine that nobody has. */
  best(): string | undefined {
    return this.#machines.find((machine) => !this.holders.has(machine));
  }

  standing(id: string): Standing {
    return this.claims.get(id)?.standing ?? 'none';
  }

  #do(id: string, owner: string, command: ClaimCommand): ClaimAnswer {
    const known = this.claims.get(id);
    if (known && known.owner !== owner) return { is: 'stranger' };
    const { to, answer } = claimRules[known?.standing ?? 'none'][command];
    const claim: Claim = known ?? { owner, standing: 'over', machine: undefined, takes: 0 };
    if (to === 'none') return { is: 'over' };
    this.claims.set(id, claim);
    claim.standing = to;
    if (answer === 'take') {
      claim.machine = this.best();
      if (claim.machine === undefined) claim.standing = 'over';
      else {
        this.holders.set(claim.machine, id);
        claim.takes += 1;
      }
    }
    if (to !== 'held' && to !== 'kept' && claim.machine !== undefined && this.holders.get(claim.machine) === id) {
      this.holders.delete(claim.machine);
    }
    if (answer === 'take' || answer === 'machine')
      return claim.machine === undefined ? { is: 'refused' } : { is: 'machine', machine: claim.machine };
    return { is: answer === 'nothing' ? 'over' : answer };
  }

  claim = (id: string, owner: string): ClaimAnswer => this.#do(id, owner, 'claim');
  confirm = (id: string, owner: string): ClaimAnswer => this.#do(id, owner, 'confirm');
  free = (id: string, owner: string): ClaimAnswer => this.#do(id, owner, 'free');

  /** The time of a claim has run out. */
  lapse(id: string): void {
    const claim = this.claims.get(id);
    if (claim) this.#do(id, claim.owner, 'lapse');
  }

  /** Whoever has the machine releases it. */
  giveBack(machine: string): void {
    const id = this.holders.get(machine);
    const claim = id === undefined ? undefined : this.claims.get(id);
    if (id !== undefined && claim) this.#do(id, claim.owner, 'give_back');
  }

  /** What the key stands for now; undefined: it was used for another request. */
  settle(key: string, wanted: Settled, insteadOf: string | undefined): Settled | undefined {
    const held = this.keys.get(key);
    if (held && held.request !== wanted.request) return undefined;
    if (held && held.claim !== insteadOf) return held;
    this.keys.set(key, wanted);
    return wanted;
  }
}
