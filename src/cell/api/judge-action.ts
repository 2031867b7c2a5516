/** May this be asked of this machine by this caller, now? Pure; the words are MAAS's where clients read them (maas-api.md §1.6). */
import { fail, type Failure } from '../../contract/errors.ts';
import { allowedWhileLocked, allows, lifecycle, stateOf, type Action } from '../../contract/lifecycle.ts';
import type { MachineGuard } from '../db/machine-guard.ts';

export interface Asker {
  readonly username: string;
  readonly admin: boolean;
}

export function statusName(number: number): string {
  return lifecycle[stateOf(number)].name;
}

const verbs: Readonly<Partial<Record<Action, string>>> = {
  rescue_mode: 'enter rescue mode with',
  exit_rescue_mode: 'exit rescue mode with',
  power_on: 'power on',
  power_off: 'power off',
};

function stateText(guard: MachineGuard, action: Action): string {
  const name = statusName(guard.status);
  if (action === 'deploy') return `Can't deploy a machine that is in the '${name}' state`;
  if (action === 'release') return `Machine cannot be released in its current state ('${name}').`;
  if (action === 'abort') return `Cannot abort in current state: node ${guard.system_id} is in state ${name}.`;
  return `Cannot ${verbs[action] ?? action.replaceAll('_', ' ')} a machine in the '${name}' state (${guard.system_id}).`;
}

/** A Ready machine may be deployed by anybody, who thereby takes it, and releasing it is nothing; all else is its owner's, or an admin's. */
function mayAsk(guard: MachineGuard, action: Action, asker: Asker): boolean {
  if (asker.admin || guard.owner === asker.username) return true;
  return guard.owner === null && stateOf(guard.status) === 'ready' && (action === 'deploy' || action === 'release');
}

export function busy(guard: Pick<MachineGuard, 'system_id' | 'operation'>): Failure | undefined {
  const { operation } = guard;
  return operation ? fail('machine_busy', { system_id: guard.system_id, operation: operation.kind, step: operation.step }) : undefined;
}

/** These end or replace what is being done to a machine, so that a live operation is no reason to refuse them. */
const stopping: readonly Action[] = ['abort', 'release', 'mark_broken', 'lock', 'unlock'];

/** Why not; undefined when it may. Who asks is judged before the state, so that a stranger learns nothing. */
export function refuseAction(guard: MachineGuard, action: Action, asker: Asker): Failure | undefined {
  if (!mayAsk(guard, action, asker)) {
    return guard.owner === null ? fail('forbidden') : fail('not_owner', { what: `Machine ${guard.system_id}` });
  }
  const state = stateOf(guard.status);
  if (guard.locked && !allowedWhileLocked.includes(action)) {
    const text = action === 'lock' ? `Machine ${guard.system_id} is already locked.` : `Machine ${guard.system_id} is locked.`;
    return fail('wrong_state', { text });
  }
  if (action === 'unlock' && guard.locked) return undefined;
  if (!allows(state, action)) return fail('wrong_state', { text: stateText(guard, action) });
  return stopping.includes(action) ? undefined : busy(guard);
}

/** May its record be changed by hand? Only being locked stands against it. */
export function refuseChange(guard: MachineGuard): Failure | undefined {
  return guard.locked ? fail('wrong_state', { text: `Machine ${guard.system_id} is locked.` }) : undefined;
}
