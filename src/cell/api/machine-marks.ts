/** Locking, marking broken or fixed, overriding a test, rescue, and what owners write down with their machines. */
import { fail, invalid } from '../../contract/errors.ts';
import { lifecycle, stateOf, type MachineState } from '../../contract/lifecycle.ts';
import type { EventKind } from '../../contract/events.ts';
import type { Handlers } from '../../http/handler.ts';
import { record } from '../db/event-store.ts';
import { changeMachine, cutOperation, mergeKeys, type MachineGuard } from '../db/machine-guard.ts';
import { nobodys, setStatus, type StatusChange } from '../db/machine-status.ts';
import { startOperation } from '../db/operation-store.ts';
import { revokeSystemCredentials } from '../db/ticket-store.ts';
import { act, changing, guardOf, type ActCall } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { machineBodyOf } from './machine-page.ts';

export type MachineMarkRoute =
  | 'Machine.lock'
  | 'Machine.unlock'
  | 'Machine.mark_broken'
  | 'Machine.mark_fixed'
  | 'Machine.override_failed_testing'
  | 'Machine.rescue_mode'
  | 'Machine.exit_rescue_mode'
  | 'Machine.set_owner_data'
  | 'Machine.set_workload_annotations';

/** Where a machine that somebody has goes back to when it is fixed; undefined: it is nobody's, or what it was is no state to go back to. */
export function fixedState(guard: Pick<MachineGuard, 'owner' | 'previous_status' | 'was_commissioned'>): MachineState {
  const before = stateOf(guard.previous_status);
  if (guard.owner !== null) {
    if (before === 'deployed' || before === 'allocated' || before === 'failed_deployment') return before;
    if (before === 'deploying') return 'failed_deployment';
  }
  return guard.was_commissioned ? 'ready' : 'new';
}

/** After a failed test: what it was before, with `ready` where that was no settled state of a machine in use. */
export function overriddenState(guard: Pick<MachineGuard, 'owner' | 'osystem'>): MachineState {
  if (guard.owner === null) return 'ready';
  return guard.osystem === '' ? 'allocated' : 'deployed';
}

const longestKey = 256;
const longestValue = 65_536;

/** @throws Failure `invalid` for a key or value that is too long. */
export function dictionary(free: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const given = Object.entries(free).map(([key, values]) => [key, values.at(-1) ?? ''] as const);
  for (const [key, value] of given) {
    if (key === '' || key.length > longestKey) throw invalid({ [key.slice(0, 40)]: [`A key has 1 to ${longestKey} characters.`] });
    if (value.length > longestValue) throw invalid({ [key]: [`A value has at most ${longestValue} characters.`] });
  }
  return Object.fromEntries(given);
}

export function machineMarkHandlers(context: ApiContext): Handlers<MachineMarkRoute> {
  type MarkCall = ActCall & { readonly params: { readonly comment?: string } };

  const note = (kind: EventKind, guard: MachineGuard, { caller, params }: MarkCall) => ({
    kind,
    systemId: guard.system_id,
    username: caller.username,
    description: `(${caller.username})${params.comment === undefined ? '' : ` - ${params.comment}`}`,
  });
  const lock = (call: MarkCall, isLocked: boolean) =>
    act(context, call, isLocked ? 'lock' : 'unlock', async (tx, guard) => {
      if (guard.locked === isLocked)
        throw fail('wrong_state', { text: `Machine ${guard.system_id} is ${isLocked ? 'already' : 'not'} locked.` });
      await changeMachine(tx, guard, { locked: isLocked });
      await record(tx, note(isLocked ? 'machine_locked' : 'machine_unlocked', guard, call));
    });
  const from = (guard: MachineGuard, by: string): Omit<StatusChange, 'set'> => ({
    systemId: guard.system_id,
    from: [stateOf(guard.status)],
    generation: guard.generation,
    by,
  });
  const rescue = (call: ActCall, kind: 'rescue' | 'exit_rescue') =>
    act(context, call, kind === 'rescue' ? 'rescue_mode' : 'exit_rescue_mode', async (tx, guard) => {
      const { username } = call.caller;
      const isInside = ([lifecycle.rescue_mode, lifecycle.failed_to_enter_rescue_mode, lifecycle.failed_to_exit_rescue_mode] as const).some(
        (state) => state.number === guard.status,
      );
      const id = await startOperation(tx, {
        ...from(guard, username),
        kind,
        requestedBy: username,
        memory: { origin: isInside ? (guard.origin ?? lifecycle.ready.number) : guard.status },
      });
      await record(tx, {
        kind: kind === 'rescue' ? 'rescue_asked' : 'rescue_exit_asked',
        systemId: guard.system_id,
        username,
        description: `(${username})`,
        data: { operation: id },
      });
    });
  const write = async (
    call: ActCall & { readonly free: Readonly<Record<string, readonly string[]>> },
    column: 'owner_data' | 'workload_annotations',
  ) => {
    const guard = await guardOf(context, call.path.system_id);
    if (guard.owner === null) throw fail('wrong_state', { text: `Machine ${guard.system_id} is not allocated to anybody.` });
    if (guard.owner !== call.caller.username && !call.caller.admin) throw fail('not_owner', { what: `Machine ${guard.system_id}` });
    const given = dictionary(call.free);
    await changing(context, guard.system_id, async (tx) => {
      await mergeKeys(tx, guard.system_id, column, given);
      await record(tx, {
        kind: 'machine_updated',
        systemId: guard.system_id,
        username: call.caller.username,
        description: `${column}: ${Object.keys(given).join(', ').slice(0, 1024)}`,
      });
    });
    return machineBodyOf(context, guard.system_id);
  };

  return {
    'Machine.lock': (call) => lock(call, true),
    'Machine.unlock': (call) => lock(call, false),
    'Machine.mark_broken': (call) =>
      act(context, call, 'mark_broken', async (tx, guard) => {
        await cutOperation(tx, guard.system_id, 'the machine was marked broken');
        await setStatus(tx, { ...from(guard, call.caller.username), to: 'broken', set: { error_description: call.params.comment ?? '' } });
        await record(tx, note('machine_broken', guard, call));
      }),
    'Machine.mark_fixed': (call) =>
      act(context, call, 'mark_fixed', async (tx, guard) => {
        const to = fixedState(guard);
        const isFree = to === 'ready' || to === 'new';
        await setStatus(tx, { ...from(guard, call.caller.username), to, set: { error_description: '', ...(isFree ? nobodys : {}) } });
        if (isFree) await revokeSystemCredentials(tx, guard.system_id);
        await record(tx, note('machine_fixed', guard, call));
      }),
    'Machine.override_failed_testing': (call) =>
      act(context, call, 'override_failed_testing', async (tx, guard) => {
        await setStatus(tx, { ...from(guard, call.caller.username), to: overriddenState(guard), set: { error_description: '' } });
        await record(tx, note('testing_overridden', guard, call));
      }),
    'Machine.rescue_mode': (call) => rescue(call, 'rescue'),
    'Machine.exit_rescue_mode': (call) => rescue(call, 'exit_rescue'),
    'Machine.set_owner_data': (call) => write(call, 'owner_data'),
    'Machine.set_workload_annotations': (call) => write(call, 'workload_annotations'),
  };
}
