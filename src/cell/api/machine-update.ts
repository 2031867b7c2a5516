/** Changing, deleting and placing machines. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import { record } from '../db/event-store.ts';
import { changeMachine, deleteMachine, readGuards } from '../db/machine-guard.ts';
import { changing, guardOf, type ActCall } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { refuseAction, refuseChange } from './judge-action.ts';
import { architectureOf, domainOf, placeOf } from './machine-create.ts';
import { inChunks, refuseHalf } from './bulk-chunks.ts';
import { placing } from './bulk-works.ts';
import { machineBodyOf } from './machine-page.ts';
import { checkPower, storePower } from './power-settings.ts';

/** Forget a machine. @throws Failure `not_found`, and those of refuseAction. */
export async function forgetMachine(context: Pick<ApiContext, 'database'>, call: ActCall): Promise<void> {
  const guard = await guardOf(context, call.path.system_id);
  const refused = refuseAction(guard, 'delete', call.caller);
  if (refused) throw refused;
  await changing(context, guard.system_id, (tx) => deleteMachine(tx, guard, call.caller.username));
}

export function machineUpdateHandlers(context: ApiContext): Handlers<'Machine.update' | 'Machine.delete' | 'Machines.set_zone'> {
  const { database, global } = context;
  return {
    'Machine.update': async ({ path, params, caller }) => {
      const guard = await guardOf(context, path.system_id);
      const refused = refuseChange(guard);
      if (refused) throw refused;
      const { hostname, description, min_hwe_kernel, swap_size, cpu_count, memory } = params;
      const zone_id = placeOf(global, 'zone', params.zone);
      const pool_id = placeOf(global, 'pool', params.pool);
      const given = {
        hostname,
        description,
        min_hwe_kernel,
        swap_size,
        cpu_count,
        memory,
        zone_id,
        pool_id,
        architecture: architectureOf(params.architecture),
        domain_id: await domainOf(database.db, params.domain),
      };
      const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      const power = await checkPower(context, params, guard.system_id);
      const changed = [...Object.keys(set), ...(power ? ['power'] : [])];
      if (changed.length === 0) return machineBodyOf(context, guard.system_id);
      try {
        await changing(context, guard.system_id, async (tx) => {
          await changeMachine(tx, guard, set);
          if (power) await storePower(tx, context, guard.system_id, power);
          await record(tx, {
            kind: 'machine_updated',
            systemId: guard.system_id,
            username: caller.username,
            description: changed.map((name) => name.replace(/_id$/, '')).join(', '),
          });
          context.killPoint('api_update:after-effect');
        });
      } catch (error) {
        if (error instanceof UniqueViolation && error.constraint === 'node_name') {
          throw invalid({ hostname: ['Node with this Hostname already exists.'] });
        }
        throw error;
      }
      return machineBodyOf(context, guard.system_id);
    },
    'Machine.delete': (call) => forgetMachine(context, call),
    'Machines.set_zone': async ({ params, caller }) => {
      const zone_id = placeOf(global, 'zone', params.zone);
      if (zone_id === undefined) throw invalid({ zone: ['This field is required.'] });
      const ids = [...new Set(params.nodes)];
      const guards = await readGuards(database.db, ids);
      const missing = ids.filter((id) => !guards.some((guard) => guard.system_id === id));
      if (missing.length > 0) throw fail('bad_request', { reason: `Unknown machine(s): ${missing.join(', ')}.` });
      const locked = guards.map(refuseChange).find((refused) => refused !== undefined);
      if (locked) throw locked;
      refuseHalf(await inChunks(context, ids, false, placing('zone_id', zone_id, `zone: ${params.zone}`, caller)));
      return null;
    },
  };
}
