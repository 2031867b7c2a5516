/** Lists and counts of machines. */
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import { findByMac } from '../db/machine-identity.ts';
import { countMachines, findMachines, type MachineOrder } from '../db/machine-read.ts';
import type { ApiContext } from './api-context.ts';
import { jsonList } from './json-list.ts';
import { machineConditions } from './machine-conditions.ts';
import { chosenFields, machineBodyOf, machinePages } from './machine-page.ts';
import { formatPlace, isInstant, readPlace } from './page-place.ts';

export type MachineListRoute = 'Machines.read' | 'Machines.is_registered' | 'Machines.list_allocated' | 'Machines.summary' | 'Machine.read';

function orderOf(sort: string | undefined): MachineOrder {
  const by = (sort ?? 'system_id').replace(/^-/, '') as MachineOrder['by'];
  return { by, falling: sort?.startsWith('-') === true };
}

/** Can this be a value of the sort key? What cannot would be an error of the database. */
const fits: Readonly<Record<MachineOrder['by'], (value: string) => boolean>> = {
  system_id: (value) => value.length <= 16,
  hostname: (value) => value.length <= 255,
  status: (value) => /^\d{1,2}$/.test(value),
  status_since: isInstant,
};

export function machineListHandlers(context: ApiContext): Handlers<MachineListRoute> {
  const { database, global } = context;
  const wholeList = async (conditions: ReturnType<typeof machineConditions>) => {
    const found = await findMachines(database.db, conditions, { by: 'system_id', falling: false }, { limit: undefined, after: undefined });
    return found.map((one) => one.system_id);
  };
  return {
    'Machines.read': async ({ params, free, reply }) => {
      const conditions = machineConditions(global, params, free);
      const fields = chosenFields(params.fields);
      const order = orderOf(params.sort);
      const after = params.after === undefined ? undefined : readPlace(params.after, fits[order.by]);
      const found = await findMachines(database.db, conditions, order, { limit: params.limit, after });
      const shown = params.limit === undefined ? found : found.slice(0, params.limit);
      const last = shown.at(-1);
      if (last && shown.length < found.length) reply.header('Muster-Next', formatPlace({ value: last.value, id: last.system_id }));
      return jsonList(
        machinePages(
          context,
          shown.map((one) => one.system_id),
          fields,
        ),
      );
    },
    'Machine.read': ({ path }) => machineBodyOf(context, path.system_id),
    'Machines.is_registered': async ({ params }) => (await findByMac(database.db, params.mac_address.replaceAll('-', ':'))) !== undefined,
    'Machines.list_allocated': async ({ params, caller }) => {
      const conditions = machineConditions(global, { owner: [caller.username], ...(params.id === undefined ? {} : { id: params.id }) });
      return jsonList(machinePages(context, await wholeList(conditions), chosenFields(undefined)));
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
