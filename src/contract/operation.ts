/**
 * Operations: one long-running piece of work on one machine, a row (architecture §6.1). This table names, for each kind, the machine
 * state it runs in and the states it ends in. The steps and their order are the planner's (`cell/lifecycle/plan.ts`).
 */
import type { MachineState } from './lifecycle.ts';

export interface OperationRule {
  /** The state of the machine while the operation lives. */
  readonly during: MachineState;
  readonly done: MachineState;
  readonly failed: MachineState;
  /** State after `abort`; undefined: cannot be aborted. `previous` goes back to where it came from. */
  readonly aborted?: MachineState | 'previous';
  /** Seconds for the whole operation, hands excluded. */
  readonly within: number;
  /** What a ticket of this operation lets the machine boot; undefined: the operation boots nothing. */
  readonly boots?: BootPurpose;
}

/** What a ticket is for. All may be claimed to write disks except `commission`, `test`. */
export type BootPurpose = 'commission' | 'test' | 'deploy' | 'erase';
/** Everything the ephemeral environment can be started for. */
export type Purpose = BootPurpose | 'enlist' | 'rescue';

export const operations = {
  commission: { during: 'commissioning', done: 'ready', failed: 'failed_commissioning', aborted: 'new', within: 3600, boots: 'commission' },
  test: { during: 'testing', done: 'ready', failed: 'failed_testing', aborted: 'previous', within: 3600, boots: 'test' },
  deploy: { during: 'deploying', done: 'deployed', failed: 'failed_deployment', aborted: 'allocated', within: 3600, boots: 'deploy' },
  erase: {
    during: 'disk_erasing',
    done: 'ready',
    failed: 'failed_disk_erasing',
    aborted: 'failed_disk_erasing',
    within: 7200,
    boots: 'erase',
  },
  release: { during: 'releasing', done: 'ready', failed: 'releasing_failed', within: 900 },
  rescue: { during: 'entering_rescue_mode', done: 'rescue_mode', failed: 'failed_to_enter_rescue_mode', within: 1800 },
  exit_rescue: { during: 'exiting_rescue_mode', done: 'ready', failed: 'failed_to_exit_rescue_mode', within: 900 },
} as const satisfies Record<string, OperationRule>;

export type OperationKind = keyof typeof operations;

/** An operation lives until it is one of the other three. */
export type OperationOutcome = 'live' | 'done' | 'failed' | 'aborted';

/** The version of the planner's steps; a worker takes only operations of a version it knows. */
export const planVersion = 1;
