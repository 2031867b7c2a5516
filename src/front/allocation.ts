/**
 * Allocating over many cells, as a pure state machine: ask, claim, confirm (architecture §8). It is told what happened and says what to do
 * next; `reach-allocate.ts` does it. What makes it safe whatever is lost, repeated or late:
 *
 * - At most one claim is outstanding here, and a confirm goes only to the cell whose claim was granted last.
 * - A claim of unknown outcome is left to free itself. Nobody confirms it.
 * - A confirm of unknown outcome is repeated at the same cell only, and nothing is claimed anywhere after it.
 */
export type Policy = 'best' | 'first';

/** What a cell offers: the cost of its cheapest match; `null`: nothing matches. */
export interface Offered {
  readonly cost: number | null;
}

export type Event =
  | { readonly kind: 'offer'; readonly cell: string; readonly offer: Offered }
  | { readonly kind: 'no_offer'; readonly cell: string }
  | { readonly kind: 'claimed'; readonly cell: string; readonly machine: string }
  | { readonly kind: 'claim_refused' | 'claim_unknown'; readonly cell: string }
  | { readonly kind: 'confirmed' | 'confirm_refused' | 'confirm_unknown'; readonly cell: string }
  /** The caller has gone. */
  | { readonly kind: 'gone' };

export type Step =
  /** Go on waiting for offers. */
  | { readonly do: 'wait' }
  | { readonly do: 'claim'; readonly cell: string }
  | { readonly do: 'confirm'; readonly cell: string; readonly attempt: number }
  | { readonly do: 'deliver'; readonly cell: string; readonly machine: string }
  /** The machine may be the caller's, and nobody can say. */
  | { readonly do: 'give_up'; readonly cell: string; readonly machine: string }
  /** `unsure`: a cell was absent or its claim is of unknown outcome, so trying again may help. */
  | { readonly do: 'nothing_fits'; readonly unsure: boolean }
  | { readonly do: 'abandon' };

/** How often a confirm is sent to the same cell before its outcome is given up. */
export const confirmAttempts = 3;

type Phase =
  | { readonly name: 'asking' }
  | { readonly name: 'claiming'; readonly cell: string }
  | { readonly name: 'confirming'; readonly cell: string; readonly machine: string; readonly attempt: number }
  | { readonly name: 'over' };

export interface Allocation {
  readonly policy: Policy;
  readonly phase: Phase;
  /** Cells that have not said what they offer. */
  readonly waiting: ReadonlySet<string>;
  /** Cells with a match, cheapest first, not tried yet. */
  readonly candidates: readonly { readonly cell: string; readonly cost: number }[];
  readonly unsure: boolean;
}

export function beginAllocation(policy: Policy, cells: readonly string[]): Allocation {
  return { policy, phase: { name: 'asking' }, waiting: new Set(cells), candidates: [], unsure: false };
}

type Turn = readonly [Allocation, Step];

/** What to do when no claim is outstanding: claim at the next candidate, wait for more offers, or give up. */
function proceed(state: Allocation): Turn {
  const [next, ...candidates] = state.candidates;
  const enough = state.policy === 'first' || state.waiting.size === 0;
  if (next && enough)
    return [
      { ...state, candidates, phase: { name: 'claiming', cell: next.cell } },
      { do: 'claim', cell: next.cell },
    ];
  if (state.waiting.size > 0) return [{ ...state, phase: { name: 'asking' } }, { do: 'wait' }];
  return [
    { ...state, phase: { name: 'over' } },
    { do: 'nothing_fits', unsure: state.unsure },
  ];
}

function heard(state: Allocation, cell: string, cost: number | null): Allocation {
  const waiting = new Set(state.waiting);
  waiting.delete(cell);
  const candidates = cost === null ? state.candidates : [...state.candidates, { cell, cost }].sort((a, b) => a.cost - b.cost);
  return { ...state, waiting, candidates };
}

function onOffer(state: Allocation, event: Event & { readonly kind: 'offer' | 'no_offer' }): Turn {
  if (!state.waiting.has(event.cell)) return [state, { do: 'wait' }];
  const cost = event.kind === 'offer' ? event.offer.cost : null;
  const next = { ...heard(state, event.cell, cost), unsure: state.unsure || event.kind === 'no_offer' };
  return state.phase.name === 'asking' ? proceed(next) : [next, { do: 'wait' }];
}

function onConfirm(state: Allocation, phase: Phase & { name: 'confirming' }, kind: Event['kind']): Turn {
  const { cell, machine, attempt } = phase;
  if (kind === 'confirmed')
    return [
      { ...state, phase: { name: 'over' } },
      { do: 'deliver', cell, machine },
    ];
  // Refused means: the claim has run out and nobody has the machine by it. Also after an unknown confirm, for then that one never arrived.
  if (kind === 'confirm_refused') return proceed({ ...state, unsure: true });
  if (attempt < confirmAttempts) {
    return [
      { ...state, phase: { ...phase, attempt: attempt + 1 } },
      { do: 'confirm', cell, attempt: attempt + 1 },
    ];
  }
  return [
    { ...state, phase: { name: 'over' } },
    { do: 'give_up', cell, machine },
  ];
}

/** One step. An event that does not belong to the present phase changes nothing. */
export function step(state: Allocation, event: Event): Turn {
  const { phase } = state;
  if (phase.name === 'over') return [state, { do: 'wait' }];
  if (event.kind === 'gone') {
    // A confirm that is under way cannot be called back; it is seen through. Everything before it frees itself.
    return phase.name === 'confirming' ? [state, { do: 'wait' }] : [{ ...state, phase: { name: 'over' } }, { do: 'abandon' }];
  }
  if (event.kind === 'offer' || event.kind === 'no_offer') return onOffer(state, event);
  if (phase.name === 'claiming' && event.cell === phase.cell) {
    if (event.kind === 'claimed') {
      const { cell, machine } = event;
      return [
        { ...state, phase: { name: 'confirming', cell, machine, attempt: 1 } },
        { do: 'confirm', cell, attempt: 1 },
      ];
    }
    if (event.kind === 'claim_refused' || event.kind === 'claim_unknown') {
      return proceed({ ...state, unsure: state.unsure || event.kind === 'claim_unknown' });
    }
  }
  const confirms = event.kind === 'confirmed' || event.kind === 'confirm_refused' || event.kind === 'confirm_unknown';
  if (phase.name === 'confirming' && event.cell === phase.cell && confirms) return onConfirm(state, phase, event.kind);
  return [state, { do: 'wait' }];
}
