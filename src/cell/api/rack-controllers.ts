/** The cell as the one rack controller it is, and what its power drivers must be told. */
import { availableParallelism, totalmem } from 'node:os';
import { powerTypes } from '../../contract/power-types.ts';
import type { RouteReply } from '../../contract/routes.ts';
import { defaultZone, zoneBody } from '../../global/api/zones.ts';
import type { Handlers } from '../../http/handler.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { networkView } from './network-view.ts';
import { rackId } from './rack-id.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** MAAS's number of a controller that is region and rack at once: a cell is both. */
const regionAndRack = { node_type: 4, node_type_name: 'Region and rack controller' } as const;

type Rack = RouteReply<'RackControllers.read'>[number];

export function rackControllerHandlers(context: NetworkContext): Handlers<`RackControllers.${'read' | 'describe_power_types'}`> {
  const { global, cellName, cellNumber } = context;
  return {
    'RackControllers.read': async () => {
      const domains = [...(await networkView(context)).domains.values()];
      const domain = domains.find((one) => one.is_default);
      const system_id = rackId(cellNumber);
      const rack: Omit<Rack, 'domain'> = {
        system_id,
        hostname: cellName,
        description: `Cell ${cellName}, number ${cellNumber}`,
        fqdn: domain ? `${cellName}.${domain.name}` : cellName,
        architecture: `${architectures[process.arch] ?? process.arch}/generic`,
        cpu_count: availableParallelism(),
        memory: Math.round(totalmem() / 2 ** 20),
        ip_addresses: [context.serviceAddress],
        interface_set: [],
        zone: zoneBody(global.get('zone', defaultZone) ?? { id: defaultZone, name: 'default', description: '' }),
        status_action: '',
        tag_names: [],
        version: context.version,
        ...regionAndRack,
        service_set: [{ name: 'http', status: 'running', status_info: '' }, ...context.services()],
        resource_uri: uri('rackcontrollers', system_id),
      };
      return domain ? [{ ...rack, domain }] : [];
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
