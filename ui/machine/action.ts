/** What can be asked of a machine from its page, as a table over the lifecycle's actions; each is possible, or says why not. Pure. */
import { allowedWhileLocked, allows, lifecycle, machineStates, stateOf, type Action } from '../../src/contract/lifecycle.ts';
import { routes, type RouteReply } from '../../src/contract/routes.ts';
import type { Person } from '../session.ts';

export interface ActionEntry {
  readonly label: string;
  readonly group: 'work' | 'power' | 'mark';
  /** Null: done at once. A text: what is asked before, in a dialog. */
  readonly ask: string | null;
  /** Something is lost by it. */
  readonly danger: boolean;
}

export const actionTable = {
  commission: { label: 'Commission', group: 'work', ask: null, danger: false },
  allocate: { label: 'Allocate', group: 'work', ask: null, danger: false },
  deploy: { label: 'Deploy…', group: 'work', ask: 'A system is installed on its disk.', danger: false },
  release: { label: 'Release…', group: 'work', ask: 'It is switched off and given back. What runs on it ends.', danger: true },
  abort: { label: 'Abort…', group: 'work', ask: 'What is being done to it stops, and it is switched off.', danger: true },
  test: { label: 'Test', group: 'work', ask: null, danger: false },
  rescue_mode: { label: 'Rescue mode…', group: 'work', ask: 'It is booted anew, into the ephemeral environment.', danger: true },
  exit_rescue_mode: { label: 'Exit rescue mode', group: 'work', ask: null, danger: false },
  power_on: { label: 'Power on', group: 'power', ask: null, danger: false },
  power_off: { label: 'Power off…', group: 'power', ask: 'Its power is cut. What runs on it ends.', danger: true },
  lock: { label: 'Lock', group: 'mark', ask: null, danger: false },
  unlock: { label: 'Unlock…', group: 'mark', ask: 'Then it can be released, changed and deleted again.', danger: false },
  mark_broken: { label: 'Mark broken…', group: 'mark', ask: 'It is not given out until somebody says that it is fixed.', danger: true },
  mark_fixed: { label: 'Mark fixed', group: 'mark', ask: null, danger: false },
  override_failed_testing: { label: 'Override failed tests', group: 'mark', ask: null, danger: false },
  delete: {
    label: 'Delete…',
    group: 'mark',
    ask: 'It is forgotten, with its events. Its disks and its power are not touched.',
    danger: true,
  },
} as const satisfies Record<Action, ActionEntry>;

export const allActions = Object.keys(actionTable) as Action[];

export type JudgedMachine = Pick<RouteReply<'Machine.read'>, 'status' | 'locked' | 'owner'> & {
  readonly operation: { readonly kind: string } | null;
};

/** These end what is being done to a machine, so that a live operation is no reason against them. */
const stopping: readonly Action[] = ['abort', 'release', 'mark_broken', 'lock', 'unlock'];

function policyOf(action: Action): string {
  return action === 'allocate' ? routes['Machines.allocate'].policy : routes[`Machine.${action}`].policy;
}

/** Why this cannot be asked now by this person; undefined when it can. The cell judges again, and its word counts. */
export function disabledReason(machine: JudgedMachine, action: Action, person: Person): string | undefined {
  const state = stateOf(machine.status);
  if (action === 'lock' && machine.locked) return 'It is locked already.';
  if (action === 'unlock' && !machine.locked) return 'It is not locked.';
  if (machine.locked && !allowedWhileLocked.includes(action)) return 'It is locked: unlock it first.';
  if (!allows(state, action) && !(action === 'unlock' && machine.locked)) {
    const possible = machineStates.filter((one) => allows(one, action)).map((one) => lifecycle[one].name);
    const few = possible.length > 3 ? [...possible.slice(0, 3), '…'] : possible;
    return `Not while it is ${lifecycle[state].name}; possible when ${few.join(', ')}.`;
  }
  if (!person.admin && policyOf(action) === 'admin') return 'Only admins may do this.';
  const free = machine.owner === null && state === 'ready' && (action === 'deploy' || action === 'allocate');
  if (!person.admin && machine.owner !== person.username && !free)
    return machine.owner === null ? 'Only admins may do this to a machine that nobody owns.' : `It belongs to ${machine.owner}.`;
  if (machine.operation && !stopping.includes(action)) return `It is busy: ${machine.operation.kind} is under way.`;
  return undefined;
}
