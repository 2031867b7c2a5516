/**
 * What a machine that asks the network gets: one table behind every protocol path (architecture §6.2). Rows are tried from the top; the
 * first whose facts all hold answers. The last row has no condition: whatever is unsure boots its own disk.
 */
import type { MachineState, StandingBoot } from './lifecycle.ts';
import type { BootPurpose } from './operation.ts';

/** Everything the decision may depend on. It is read at the moment of the request; nothing is remembered. */
export interface BootFacts {
  /** The machine with this MAC (or UUID), if the cell knows it. */
  readonly machine?: {
    readonly state: MachineState;
    readonly locked: boolean;
    readonly movedAway: boolean;
    readonly ephemeral: boolean;
  };
  /** The machine's live ticket: unexpired, unspent, not void, attempts left, its operation live. */
  readonly ticket?: { readonly purpose: BootPurpose };
  /** Does the VLAN that asked enlist unknown machines? */
  readonly enlists: boolean;
  /** True when the facts come from a snapshot or could not be read in full. */
  readonly unsure: boolean;
}

export type BootAnswer =
  | { readonly boot: 'environment'; readonly purpose: BootPurpose }
  | { readonly boot: 'standing'; readonly purpose: 'rescue' }
  | { readonly boot: 'enlist' }
  | { readonly boot: 'off' }
  | { readonly boot: 'local' };

export interface BootRule {
  readonly name: string;
  /** Each given fact must hold. */
  readonly when: {
    readonly known?: boolean;
    readonly ticket?: boolean;
    readonly locked?: boolean;
    readonly movedAway?: boolean;
    readonly standing?: StandingBoot;
    readonly enlists?: boolean;
    readonly unsure?: boolean;
  };
  readonly answer: 'ticket' | 'rescue' | 'enlist' | 'off' | 'local';
}

export const bootRules = [
  { name: 'moved away', when: { known: true, movedAway: true }, answer: 'local' },
  { name: 'locked', when: { known: true, locked: true }, answer: 'local' },
  { name: 'live ticket', when: { known: true, ticket: true, unsure: false }, answer: 'ticket' },
  { name: 'standing rescue', when: { known: true, standing: 'rescue' }, answer: 'rescue' },
  { name: 'unknown machine on a VLAN that enlists', when: { known: false, enlists: true, unsure: false }, answer: 'enlist' },
  { name: 'nothing to run', when: { known: true, standing: 'off', ticket: false, unsure: false }, answer: 'off' },
  { name: 'everything else', when: {}, answer: 'local' },
] as const satisfies readonly BootRule[];
