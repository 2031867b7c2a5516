/**
 * The life of a claim at its cell, as a table. The handlers answer by it, the SQL is held to it by `claim-rules.test.ts`, and the property
 * test of the whole protocol (test/allocation-protocol.test.ts) runs its cells on it. What makes a front safe whatever arrives late or twice:
 * `over` and `spent` never take a machine again, and a refused confirm is final.
 */

/** `held`: has a machine until it lapses. `kept`: confirmed. `spent`: was kept, and its machine has been given back since. */
export type Standing = 'none' | 'held' | 'kept' | 'over' | 'spent';

/** `free`: its front gives it up. `lapse`: its time has run out. `give_back`: the machine was released. */
export type ClaimCommand = 'claim' | 'confirm' | 'free' | 'lapse' | 'give_back';

export interface ClaimRule {
  readonly to: Standing;
  /** `take`: a machine, now, and `over` when there is none. `machine`: the one that it has, or had. */
  readonly answer: 'take' | 'machine' | 'refused' | 'over' | 'kept' | 'nothing';
}

const nothing = (to: Standing): ClaimRule => ({ to, answer: 'nothing' });

export const claimRules: Readonly<Record<Standing, Readonly<Record<ClaimCommand, ClaimRule>>>> = {
  none: {
    claim: { to: 'held', answer: 'take' },
    confirm: { to: 'over', answer: 'refused' },
    free: { to: 'over', answer: 'over' },
    lapse: nothing('none'),
    give_back: nothing('none'),
  },
  held: {
    claim: { to: 'held', answer: 'machine' },
    confirm: { to: 'kept', answer: 'machine' },
    free: { to: 'over', answer: 'over' },
    lapse: nothing('over'),
    give_back: nothing('over'),
  },
  kept: {
    claim: { to: 'kept', answer: 'machine' },
    confirm: { to: 'kept', answer: 'machine' },
    free: { to: 'kept', answer: 'kept' },
    lapse: nothing('kept'),
    give_back: nothing('spent'),
  },
  over: {
    claim: { to: 'over', answer: 'refused' },
    confirm: { to: 'over', answer: 'refused' },
    free: { to: 'over', answer: 'over' },
    lapse: nothing('over'),
    give_back: nothing('over'),
  },
  spent: {
    claim: { to: 'spent', answer: 'refused' },
    // A call that is repeated is told what it got the first time, whatever became of it.
    confirm: { to: 'spent', answer: 'machine' },
    free: { to: 'spent', answer: 'kept' },
    lapse: nothing('spent'),
    give_back: nothing('spent'),
  },
};
