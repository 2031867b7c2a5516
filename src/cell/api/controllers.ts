/** The cell's processes as the controllers that MAAS's clients expect: what each is, and what people said of it. */
import { availableParallelism, totalmem } from 'node:os';
import { fail } from '../../contract/errors.ts';
import type { RackController } from '../../contract/resources/rack-controllers.ts';
import type { Body } from '../../contract/route.ts';
import { defaultZone } from '../../global/api/zones.ts';
import type { ProcessRow } from '../db/process-store.ts';
import { readControllers, type ControllerFacts, type ControllerRow } from '../db/node-store.ts';
import { domainOf, unknownHardware, zoneOf } from './machine-body.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { networkView } from './network-view.ts';
import { rackId } from './rack-id.ts';
import { scriptFields } from './script-status.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** MAAS's number of a controller that is region and rack at once: a process of a cell is both. */
const regionAndRack = { node_type: 4, node_type_name: 'Region and rack controller' } as const;

export type ControllerBody = Body<typeof RackController>;
/** The list that it is shown in: what its resource_uri says. */
export type ControllerList = 'rackcontrollers' | 'regioncontrollers';

type ShownProcess = Pick<
  ProcessRow,
  'slot' | 'name' | 'address' | 'version' | 'architecture' | 'cpu_count' | 'memory' | 'live' | 'silent'
> &
  Partial<Pick<ProcessRow, 'serves_dhcp' | 'serves_tftp'>>;

/** One process as a controller. */
export interface Controller {
  readonly process: ShownProcess;
  readonly facts: ControllerFacts;
  readonly description: string;
  readonly tag_ids: readonly number[];
}

/** A server without a registry of processes is one. */
function itself(context: NetworkContext): ShownProcess {
  return {
    slot: 0,
    name: context.cellName,
    address: context.serviceAddress,
    version: context.version,
    architecture: architectures[process.arch] ?? process.arch,
    cpu_count: availableParallelism(),
    memory: Math.round(totalmem() / 2 ** 20),
    live: true,
    silent: 0,
  };
}

function controllerOf(
  context: NetworkContext,
  one: ShownProcess,
  alone: boolean,
  domainId: number,
  kept: ControllerRow | undefined,
): Controller {
  const { cellName, cellNumber } = context;
  const own = `Cell ${cellName}, number ${cellNumber}${alone ? '' : `: process ${one.slot + 1} on ${one.name}`}`;
  return {
    process: one,
    facts: {
      system_id: rackId(cellNumber, one.slot),
      hostname: alone ? cellName : `${cellName}-${one.slot + 1}`,
      domain_id: kept?.domain_id ?? domainId,
      zone_id: kept?.zone_id ?? defaultZone,
      architecture: `${one.architecture}/generic`,
      cpu_count: one.cpu_count,
      memory: one.memory,
    },
    description: kept === undefined || kept.description === '' ? own : kept.description,
    tag_ids: kept?.tag_ids ?? [],
  };
}

/** All of them, by system_id: at most three statements. None before the cell has a domain. */
export async function readAllControllers(context: NetworkContext): Promise<Controller[]> {
  const [view, kept] = [await networkView(context), await readControllers(context.database.db)];
  const domain = [...view.domains.values()].find((one) => one.is_default);
  if (!domain) return [];
  const processes: readonly ShownProcess[] = (await context.processes?.()) ?? [itself(context)];
  return processes
    .map((one) => {
      const id = rackId(context.cellNumber, one.slot);
      return controllerOf(
        context,
        one,
        processes.length === 1,
        domain.id,
        kept.find((row) => row.system_id === id),
      );
    })
    .toSorted((a, b) => (a.facts.system_id < b.facts.system_id ? -1 : 1));
}

/** @throws Failure `not_found`; `what` is how MAAS calls it. */
export async function controllerBy(context: NetworkContext, systemId: string, what = 'RackController'): Promise<Controller> {
  const found = (await readAllControllers(context)).find((one) => one.facts.system_id === systemId);
  if (!found) throw fail('not_found', { what });
  return found;
}

export function controllerBody(
  context: NetworkContext,
  { process: one, facts, description, tag_ids }: Controller,
  networks: Awaited<ReturnType<typeof networkView>>,
  list: ControllerList,
): ControllerBody {
  const { global } = context;
  const status = one.live ? 'running' : 'dead';
  const info = one.live ? '' : `no sign of life for ${Math.round(one.silent)} s`;
  const service = (name: string, on: boolean | undefined) =>
    on ? { name, status, status_info: info } : { name, status: 'off', status_info: '' };
  const domain = domainOf(networks, facts.domain_id);
  return {
    system_id: facts.system_id,
    hostname: facts.hostname,
    description,
    hardware_uuid: null,
    domain,
    fqdn: `${facts.hostname}.${domain.name}`,
    architecture: facts.architecture,
    cpu_count: facts.cpu_count,
    cpu_speed: 0,
    memory: facts.memory,
    swap_size: null,
    osystem: '',
    distro_series: '',
    power_type: 'manual',
    power_state: one.live ? 'on' : 'unknown',
    hardware_info: { ...unknownHardware },
    ip_addresses: [one.address],
    interface_set: [],
    zone: zoneOf(global, facts.zone_id),
    status_action: '',
    tag_names: tag_ids.flatMap((id) => global.get('tag', id)?.name ?? []).toSorted(),
    version: one.version,
    ...regionAndRack,
    service_set: [
      { name: 'http', status, status_info: info },
      ...(one.serves_dhcp === undefined ? context.services() : [service('dhcpd', one.serves_dhcp), service('tftp', one.serves_tftp)]),
    ],
    ...scriptFields([]),
    resource_uri: uri(list, facts.system_id),
  };
}

/** @throws Failure `not_found`. */
export async function controllerBodyOf(context: NetworkContext, systemId: string, list: ControllerList): Promise<ControllerBody> {
  const what = list === 'rackcontrollers' ? 'RackController' : 'RegionController';
  const [controller, view] = [await controllerBy(context, systemId, what), await networkView(context)];
  return controllerBody(context, controller, view, list);
}
