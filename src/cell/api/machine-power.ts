/** Switching machines, asking their BMCs, and showing their power settings. */
import { fail } from '../../contract/errors.ts';
import type { PowerParameters } from '../../contract/power-types.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record, recordAll } from '../db/event-store.ts';
import { changeMachine, readGuards, type MachineGuard } from '../db/machine-guard.ts';
import { intendVerb } from '../db/power-store.ts';
import { act, guardOf } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { userData } from './deploy.ts';

export type MachinePowerRoute =
  | 'Machine.power_on'
  | 'Machine.power_off'
  | 'Machine.query_power_state'
  | 'Machine.power_parameters'
  | 'Machines.power_parameters';

/** Commit the order; the power room carries it out. @throws Failure `wrong_state` for a machine that nothing can switch. */
async function order(tx: CellDb, guard: MachineGuard, verb: 'on' | 'off', by: string, soft = false): Promise<void> {
  if (guard.power_type === '')
    throw fail('wrong_state', { text: `Machine ${guard.system_id} has no power settings: set power_type first.` });
  await intendVerb(tx, { systemId: guard.system_id, verb, requestedBy: by, soft });
}

type Reads = Pick<ApiContext, 'database' | 'power'>;

/** A machine's settings in the clear, with the event that tells of it. @throws Failure `not_found`. */
export async function powerParametersOf(context: Reads, systemId: string, username: string): Promise<PowerParameters> {
  const guard = await guardOf(context, systemId);
  // Written before anything is shown: what cannot be audited is not told.
  await record(context.database.db, { kind: 'power_parameters_read', systemId: guard.system_id, username, description: guard.hostname });
  return (await context.power.targetsOf([guard.system_id])).get(guard.system_id)?.target.parameters ?? {};
}

export function machinePowerHandlers(context: ApiContext): Handlers<MachinePowerRoute> {
  const { database, power } = context;

  return {
    'Machine.power_on': (call) => {
      const data = call.params.user_data === undefined ? undefined : userData(call.params.user_data);
      return act(context, call, 'power_on', async (tx, guard) => {
        if (data !== undefined) {
          if (guard.owner === null)
            throw fail('wrong_state', { text: `Machine ${guard.system_id} is nobody's: nothing on it would read user_data.` });
          await changeMachine(tx, guard, { user_data: data });
        }
        await order(tx, guard, 'on', call.caller.username);
      });
    },
    'Machine.power_off': (call) =>
      act(context, call, 'power_off', (tx, guard) => order(tx, guard, 'off', call.caller.username, call.params.stop_mode === 'soft')),
    'Machine.query_power_state': async ({ path }) => {
      const guard = await guardOf(context, path.system_id);
      const { state, evidence } = await power.query(guard.system_id);
      if (state === 'error') await record(database.db, { kind: 'power_query_failed', systemId: guard.system_id, description: evidence });
      return { state };
    },
    'Machine.power_parameters': ({ path, caller }) => powerParametersOf(context, path.system_id, caller.username),
    'Machines.power_parameters': async ({ params, caller }) => {
      const guards = await readGuards(database.db, [...new Set(params.id)]);
      await recordAll(
        database.db,
        guards.map((guard) => ({
          kind: 'power_parameters_read' as const,
          systemId: guard.system_id,
          username: caller.username,
          description: guard.hostname,
        })),
      );
      const targets = await power.targetsOf(guards.map((guard) => guard.system_id));
      return Object.fromEntries(guards.map(({ system_id }) => [system_id, targets.get(system_id)?.target.parameters ?? {}]));
    },
  };
}
