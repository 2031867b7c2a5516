/** Lists and counts of machines. */
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import { countMachines, findMachines, type MachineOrder } from '../db/machine-read.ts';
import type { ApiContext } from './api-context.ts';
import { jsonList } from './json-list.ts';
import { machineConditions } from './machine-conditions.ts';
import { chosenFields, machineBodyOf, machinePages } from './machine-page.ts';
import { formatPlace, isInstant, readPlace } from './page-place.ts';

export type MachineListRoute = 'Machines.read' | 'Machines.list_allocated' | 'Machines.summary' | 'Machine.read';

function orderOf(sort: string | undefined): MachineOrder {
  const by = (sort ?? 'system_id').replace(/^-/, '') as MachineOrder['by'];
  return { by, falling: sort?.startsWith('-') === true };
}

/** The order of lists that know no other. */
export const byAge: MachineOrder = { by: 'system_id', falling: false };

/** Can this be a value of the sort key? What cannot would be an error of the database. */
const fits: Readonly<Record<MachineOrder['by'], (value: string) => boolean>> = {
  system_id: (value) => value.length <= 16,
  hostname: (value) => value.length <= 255,
  status: (value) => /^\d{1,2}$/.test(value),
  status_since: isInstant,
};

export function machineListHandlers(context: ApiContext): Handlers<MachineListRoute> {
  const { database, global } = context;
  return {
    'Machines.read': async ({ params, free, reply }) => {
      const conditions = machineConditions(global, params, free);
      const fields = chosenFields(params.fields);
      const order = orderOf(params.sort);
      const after = params.after === undefined ? undefined : readPlace(params.after, fits[order.by]);
      const { limit } = params;
      if (limit === undefined) return jsonList(machinePages(context, { conditions, order, after }, fields));
      const found = await findMachines(database.db, conditions, order, { limit, after });
      const ids = found.slice(0, limit).map((one) => one.system_id);
      const last = found[limit - 1];
      if (last && found.length > limit) reply.header('Muster-Next', formatPlace({ value: last.value, id: last.system_id }));
      return jsonList(machinePages(context, { ids }, fields));
    },
    'Machine.read': ({ path }) => machineBodyOf(context, path.system_id),
    'Machines.list_allocated': async ({ params, caller }) => {
      const conditions = machineConditions(global, { owner: [caller.username], ...(params.id === undefined ? {} : { id: params.id }) });
      return jsonList(machinePages(context, { conditions, order: byAge, after: undefined }, chosenFields(undefined)));
    },
    'Machines.summary': async ({ params, free }) => {
      const rows = await countMachines(database.db, machineConditions(global, params, free));
      const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
      const by = (name: (row: (typeof rows)[number]) => string) => {
        const counts = new Map<string, number>();
        for (const row of rows) counts.set(name(row), (counts.get(name(row)) ?? 0) + row.machines);
        return Object.fromEntries(counts);
      };
      return {
        machines: sum((row) => row.machines),
        by_status: by((row) => stateOf(row.status)),
        by_power_state: by((row) => row.power_state),
        by_zone: by((row) => global.get('zone', row.zone_id)?.name ?? 'default'),
        by_pool: by((row) => global.get('pool', row.pool_id)?.name ?? 'default'),
        locked: sum((row) => row.locked),
        operations: sum((row) => row.operations),
      };
    },
  };
}
