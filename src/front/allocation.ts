/**
 * Allocating over many cells, as a pure state machine: ask, claim, confirm (architecture §8). It is told what happened and says what to do
 * next; `reach-allocate.ts` does it. What makes it safe whatever is lost, repeated or late, together with the cells' rules for claims
 * (cell/db/claim-rules.ts):
 *
 * - Each claim has an id of its own, which is used once and at one cell. One claim at a time is outstanding here.
 * - A claim that is given up (unknown outcome, caller gone, lost to another) is freed at its cell, and over there for good.
 * - A confirm of unknown outcome is repeated at the same cell only, and nothing is claimed anywhere after it. Refused is final.
 * - With an Idempotency-Key one cell, the key's home, says which claim the key stands for. A claim is confirmed only when its key stands for
 *   it, and the key is taken from a claim only when that one is over. So of all claims for a key one is confirmed at most (decision 5).
 */
import type { Spread } from '../contract/resources/constraints.ts';
import { ranked, type Candidate, type Offered } from './spread.ts';

export type Policy = 'best' | 'first';

/** A claim that was granted. */
export interface Claimed {
  readonly cell: string;
  readonly claim: string;
  readonly machine: string;
}

export type Event =
  /** `settled`: what the caller's key stands for, as far as this cell knows; `same`: for the same request. */
  | { readonly kind: 'offer'; readonly cell: string; readonly offer: Offered; readonly settled?: Claimed & { readonly same: boolean } }
  | { readonly kind: 'no_offer'; readonly cell: string }
  | { readonly kind: 'claimed'; readonly claim: string; readonly machine: string }
  | { readonly kind: 'claim_refused' | 'claim_unknown'; readonly claim: string }
  /** `winner`: what the key stands for now. */
  | { readonly kind: 'settled'; readonly claim: string; readonly winner: Claimed }
  | { readonly kind: 'settle_mismatch'; readonly claim: string }
  | { readonly kind: 'settle_unknown' | 'confirm_unknown'; readonly claim: string; readonly attempt: number }
  | { readonly kind: 'confirmed' | 'confirm_refused'; readonly claim: string }
  /** The caller has gone. */
  | { readonly kind: 'gone' };

export type Step =
  | { readonly do: 'ask'; readonly cells: readonly string[] }
  | { readonly do: 'claim'; readonly cell: string; readonly group: string | undefined; readonly claim: string }
  | {
      readonly do: 'settle';
      readonly home: string;
      readonly claimed: Claimed;
      readonly insteadOf: string | undefined;
      readonly attempt: number;
    }
  | { readonly do: 'confirm'; readonly cell: string; readonly claim: string; readonly attempt: number }
  /** Tell the cell that the claim is given up; nobody waits for it. */
  | { readonly do: 'free'; readonly cell: string; readonly claim: string }
  | End;

export type End =
  | ({ readonly do: 'deliver' } & Claimed)
  /** The machine may be the caller's, and nobody can say. */
  | ({ readonly do: 'give_up' } & Claimed)
  /** `unsure`: a cell was absent or its claim is of unknown outcome, so trying again may help. */
  | { readonly do: 'nothing_fits'; readonly unsure: boolean }
  /** The cell that knows the key does not answer; nothing was taken, or the key knows of it. */
  | { readonly do: 'key_absent'; readonly home: string }
  | { readonly do: 'key_mismatch' }
  | { readonly do: 'abandon' };

/** How often a confirm is sent to the same cell before its outcome is given up. */
export const confirmAttempts = 3;
/** How often a key may turn out to stand for a claim that is over, before this front gives way to the others. */
const mostRounds = 5;

type Phase =
  | { readonly name: 'asking' }
  | { readonly name: 'claiming'; readonly cell: string; readonly claim: string }
  | { readonly name: 'settling'; readonly claimed: Claimed; readonly attempt: number }
  | { readonly name: 'confirming'; readonly claimed: Claimed; readonly attempt: number }
  | { readonly name: 'over' };

export interface Plan {
  readonly policy: Policy;
  /** In the order in which to ask; the key's home first, where there is one. */
  readonly cells: readonly string[];
  /** How many to ask at first; each further round asks as many again as were asked before. */
  readonly sample: number;
  readonly spread?: Spread | undefined;
  /** The cell that says which claim the caller's key stands for. */
  readonly home?: string | undefined;
  /** The id of the n-th claim of this allocation. */
  readonly claimId: (n: number) => string;
}

export interface Allocation extends Plan {
  readonly phase: Phase;
  /** Cells that have not said what they offer. */
  readonly waiting: ReadonlySet<string>;
  readonly unasked: readonly string[];
  readonly offers: ReadonlyMap<string, Offered>;
  readonly tried: ReadonlySet<string>;
  readonly claims: number;
  /** What the key stands for, as an offer has said. */
  readonly settled: (Claimed & { readonly same: boolean }) | undefined;
  /** The claim that the key stands for and that is over. */
  readonly dead: string | undefined;
  readonly rounds: number;
  readonly unsure: boolean;
}

type Turn = readonly [Allocation, readonly Step[]];

export function beginAllocation(plan: Plan): Turn {
  return proceed({
    ...plan,
    phase: { name: 'asking' },
    waiting: new Set(),
    unasked: plan.cells,
    offers: new Map(),
    tried: new Set(),
    claims: 0,
    settled: undefined,
    dead: undefined,
    rounds: 0,
    unsure: false,
  });
}

function end(state: Allocation, how: End, ...before: Step[]): Turn {
  return [{ ...state, phase: { name: 'over' } }, [...before, how]];
}

function keyOf({ cell, group }: Pick<Candidate, 'cell' | 'group'>): string {
  return `${cell} ${group ?? ''}`;
}

function confirm(state: Allocation, { cell, claim, machine }: Claimed, attempt = 1): Turn {
  return [
    { ...state, phase: { name: 'confirming', claimed: { cell, claim, machine }, attempt } },
    [{ do: 'confirm', cell, claim, attempt }],
  ];
}

function settle(state: Allocation, home: string, claimed: Claimed, attempt = 1): Turn {
  const step: Step = { do: 'settle', home, claimed, insteadOf: state.dead, attempt };
  return [{ ...state, phase: { name: 'settling', claimed, attempt } }, [step]];
}

/** What to do when no claim is outstanding: what the key stands for, the next candidate, more offers, more cells, or the end. */
function proceed(state: Allocation): Turn {
  const { home, settled, waiting, unasked, offers } = state;
  if (home !== undefined && waiting.size === 0 && !unasked.includes(home)) {
    if (settled && !settled.same) return end(state, { do: 'key_mismatch' });
    if (settled) return confirm({ ...state, settled: undefined }, settled);
    if (!offers.has(home) || state.rounds > mostRounds) return end(state, { do: 'key_absent', home });
  }
  const mayHurry = state.policy === 'first' && state.spread === undefined && home === undefined;
  const next = mayHurry || waiting.size === 0 ? ranked(offers, state.spread).find((one) => !state.tried.has(keyOf(one))) : undefined;
  if (next) {
    const { cell, group } = next;
    const claim = state.claimId(state.claims + 1);
    const tried = new Set([...state.tried, keyOf(next)]);
    return [{ ...state, tried, claims: state.claims + 1, phase: { name: 'claiming', cell, claim } }, [{ do: 'claim', cell, group, claim }]];
  }
  if (waiting.size > 0) return [{ ...state, phase: { name: 'asking' } }, []];
  if (unasked.length === 0) return end(state, { do: 'nothing_fits', unsure: state.unsure });
  const asked = state.cells.length - unasked.length;
  const cells = unasked.slice(0, Math.max(1, asked === 0 ? state.sample : asked));
  const more = { ...state, phase: { name: 'asking' as const }, waiting: new Set(cells), unasked: unasked.slice(cells.length) };
  return [more, [{ do: 'ask', cells }]];
}

function onOffer(state: Allocation, event: Event & { readonly kind: 'offer' | 'no_offer' }): Turn {
  if (!state.waiting.has(event.cell)) return [state, []];
  const waiting = new Set(state.waiting);
  waiting.delete(event.cell);
  // Should two cells know the key, as after a change of the registry, its home is right.
  const told = event.kind === 'offer' ? event.settled : undefined;
  const settled = event.cell === state.home ? (told ?? state.settled) : (state.settled ?? told);
  const next =
    event.kind === 'no_offer'
      ? { ...state, waiting, unsure: true }
      : { ...state, waiting, offers: new Map([...state.offers, [event.cell, event.offer]]), settled };
  return state.phase.name === 'asking' ? proceed(next) : [next, []];
}

function onClaiming(state: Allocation, { cell, claim }: Phase & { name: 'claiming' }, event: Event): Turn {
  if (event.kind === 'claimed') {
    const claimed = { cell, claim, machine: event.machine };
    return state.home === undefined ? confirm(state, claimed) : settle(state, state.home, claimed);
  }
  if (event.kind === 'claim_refused') return proceed(state);
  if (event.kind !== 'claim_unknown') return [state, []];
  const [next, steps] = proceed({ ...state, unsure: true });
  return [next, [{ do: 'free', cell, claim }, ...steps]];
}

function onSettling(state: Allocation, { claimed, attempt }: Phase & { name: 'settling' }, event: Event, home: string): Turn {
  const free: Step = { do: 'free', cell: claimed.cell, claim: claimed.claim };
  if (event.kind === 'settle_mismatch') return end(state, { do: 'key_mismatch' }, free);
  if (event.kind === 'settle_unknown' && event.attempt === attempt) {
    // Freed, it can do no harm: should the key stand for it after all, the next call finds it over and takes the key from it.
    return attempt < confirmAttempts ? settle(state, home, claimed, attempt + 1) : end(state, { do: 'key_absent', home }, free);
  }
  if (event.kind !== 'settled') return [state, []];
  const [next, steps] = confirm(state, event.winner);
  return [next, event.winner.claim === claimed.claim ? steps : [free, ...steps]];
}

function onConfirming(state: Allocation, { claimed, attempt }: Phase & { name: 'confirming' }, event: Event): Turn {
  if (event.kind === 'confirmed') return end(state, { do: 'deliver', ...claimed });
  // Nobody has the machine by it, and nobody ever will. Also after an unknown confirm, for then that one never arrived.
  if (event.kind === 'confirm_refused') {
    if (state.home === undefined) return proceed({ ...state, unsure: true });
    return proceed({ ...state, unsure: true, dead: claimed.claim, rounds: state.rounds + 1, tried: new Set() });
  }
  if (event.kind !== 'confirm_unknown' || event.attempt !== attempt) return [state, []];
  return attempt < confirmAttempts ? confirm(state, claimed, attempt + 1) : end(state, { do: 'give_up', ...claimed });
}

function onGone(state: Allocation, phase: Phase): Turn {
  // A confirm that is under way cannot be called back; it is seen through.
  if (phase.name === 'confirming') return [state, []];
  if (phase.name === 'claiming') return end(state, { do: 'abandon' }, { do: 'free', cell: phase.cell, claim: phase.claim });
  if (phase.name === 'settling') return end(state, { do: 'abandon' }, { do: 'free', cell: phase.claimed.cell, claim: phase.claimed.claim });
  return end(state, { do: 'abandon' });
}

/** One step. An event that does not belong to the present phase changes nothing. */
export function step(state: Allocation, event: Event): Turn {
  const { phase, home } = state;
  if (phase.name === 'over') return [state, []];
  if (event.kind === 'gone') return onGone(state, phase);
  if (event.kind === 'offer' || event.kind === 'no_offer') return onOffer(state, event);
  if (phase.name === 'claiming' && event.claim === phase.claim) return onClaiming(state, phase, event);
  if (phase.name === 'settling' && home !== undefined && event.claim === phase.claimed.claim) return onSettling(state, phase, event, home);
  if (phase.name === 'confirming' && event.claim === phase.claimed.claim) return onConfirming(state, phase, event);
  return [state, []];
}
