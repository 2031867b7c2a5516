/** The cell's processes as the rack controllers that MAAS's clients expect, and what its power drivers must be told. */
import { availableParallelism, totalmem } from 'node:os';
import { powerTypes } from '../../contract/power-types.ts';
import type { RouteReply } from '../../contract/routes.ts';
import { defaultZone, zoneBody } from '../../global/api/zones.ts';
import type { Handlers } from '../../http/handler.ts';
import type { ProcessRow } from '../db/process-store.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { networkView } from './network-view.ts';
import { rackId } from './rack-id.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** MAAS's number of a controller that is region and rack at once: a process of a cell is both. */
const regionAndRack = { node_type: 4, node_type_name: 'Region and rack controller' } as const;

type Rack = RouteReply<'RackControllers.read'>[number];
type ShownProcess = Pick<
  ProcessRow,
  'slot' | 'name' | 'address' | 'version' | 'architecture' | 'cpu_count' | 'memory' | 'live' | 'silent'
> &
  Partial<Pick<ProcessRow, 'serves_dhcp' | 'serves_tftp'>>;

export function rackControllerHandlers(context: NetworkContext): Handlers<`RackControllers.${'read' | 'describe_power_types'}`> {
  const { global, cellName, cellNumber } = context;

  function rackOf(one: ShownProcess, alone: boolean): Omit<Rack, 'domain' | 'fqdn'> {
    const system_id = rackId(cellNumber, one.slot);
    const status = one.live ? 'running' : 'dead';
    const info = one.live ? '' : `no sign of life for ${Math.round(one.silent)} s`;
    const service = (name: string, on: boolean | undefined) =>
      on ? { name, status, status_info: info } : { name, status: 'off', status_info: '' };
    return {
      system_id,
      hostname: alone ? cellName : `${cellName}-${one.slot + 1}`,
      description: `Cell ${cellName}, number ${cellNumber}${alone ? '' : `: process ${one.slot + 1} on ${one.name}`}`,
      architecture: `${one.architecture}/generic`,
      cpu_count: one.cpu_count,
      memory: one.memory,
      ip_addresses: [one.address],
      interface_set: [],
      zone: zoneBody(global.get('zone', defaultZone) ?? { id: defaultZone, name: 'default', description: '' }),
      status_action: '',
      tag_names: [],
      version: one.version,
      ...regionAndRack,
      service_set: [
        { name: 'http', status, status_info: info },
        ...(one.serves_dhcp === undefined ? context.services() : [service('dhcpd', one.serves_dhcp), service('tftp', one.serves_tftp)]),
      ],
      resource_uri: uri('rackcontrollers', system_id),
    };
  }

  return {
    'RackControllers.read': async () => {
      const domains = [...(await networkView(context)).domains.values()];
      const domain = domains.find((one) => one.is_default);
      if (!domain) return [];
      const processes: readonly ShownProcess[] = (await context.processes?.()) ?? [itself(context)];
      return processes.map((one) => {
        const rack = rackOf(one, processes.length === 1);
        return { ...rack, fqdn: `${rack.hostname}.${domain.name}`, domain };
      });
    },
    'RackControllers.describe_power_types': () =>
      powerTypes.map((type) => ({
        ...type,
        missing_packages: [...type.missing_packages],
        fields: type.fields.map((field) => ({
          ...field,
          choices: field.choices.map(([value, label]): [string, string] => [value, label]),
          default: typeof field.default === 'string' ? field.default : [...field.default],
        })),
      })),
  };
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
