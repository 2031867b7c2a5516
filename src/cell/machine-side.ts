/** What machines talk to: boot files, metadata, TFTP. Handlers of the routes that are not people's. */
import type { Handlers } from '../http/handler.ts';
import { passOn } from '../http/reply.ts';
import type { CallRequest } from '../http/handler.ts';
import { createBootHandler, type HttpBootOptions } from './netboot/http-boot.ts';
import { agentHandlers } from './metadata/agent-calls.ts';
import { enlistHandlers } from './metadata/enlist.ts';
import { metaDataHandlers } from './metadata/meta-data.ts';
import type { MetadataContext } from './metadata/metadata-context.ts';
import { preseedHandlers } from './metadata/preseed.ts';
import { scriptHandlers, type HardwareJudge } from './metadata/scripts.ts';
import type { StatusReports } from './metadata/status-report.ts';
import { readInventory } from './lifecycle/inventory.ts';

type BootRoutes = 'BootStart.read' | 'BootScript.read' | 'BootLoader.read' | 'BootFile.read';

/** Boot files over HTTP: netboot answers by itself, with its own headers and ranges; the route table only lets the request through. */
export function bootHandlers(options: HttpBootOptions): Handlers<BootRoutes> {
  const boot = createBootHandler(options);
  const answer = async ({ request }: { request: CallRequest }) => {
    const reply = await boot({ method: request.method, url: request.url, headers: request.headers, address: request.address });
    return passOn(reply.status, reply.headers, typeof reply.body === 'function' ? reply.body() : reply.body);
  };
  return { 'BootStart.read': answer, 'BootScript.read': answer, 'BootLoader.read': answer, 'BootFile.read': answer };
}

/** Every metadata route. `defaultLayout`: how the disks of a machine are to be used after its commissioning. */
export function metadataHandlers(
  context: MetadataContext,
  reports: StatusReports,
  hardware: HardwareJudge,
  defaultLayout: () => string = () => 'flat',
) {
  return {
    ...agentHandlers(context),
    ...enlistHandlers(context),
    ...metaDataHandlers(context),
    ...preseedHandlers(context),
    ...scriptHandlers(context, readInventory, hardware, defaultLayout),
    ...reports.handlers,
  };
}
