/** The API of machines: joins the api and allocate rooms with the doors that the other rooms fill. */
import { allocationHandlers } from './allocate/allocation.ts';
import type { ApiContext } from './api/api-context.ts';
import { machineHandlers } from './api/machine-handlers.ts';
import { machineBodyOf } from './api/machine-page.ts';
import { recordHandlers } from './api/record-handlers.ts';

/** Handlers of machines, allocation, operations, findings and events. */
export function machineApi(context: ApiContext) {
  const { database, global, killPoint } = context;
  const door = { shown: (systemId: string) => machineBodyOf(context, systemId), killPoint };
  return { ...machineHandlers(context), ...recordHandlers(context), ...allocationHandlers({ database, global, door }) };
}
