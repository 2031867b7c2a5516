/** The whole API: every route of every resource, by its id (`Machines.allocate`). */
import type { ParamsOf, PathOf, ReplyOf, Route } from './route.ts';
import { account } from './resources/account.ts';
import { bcaches } from './resources/bcaches.ts';
import { blockDevices } from './resources/block-devices.ts';
import { bootResources } from './resources/boot-resources.ts';
import { bootRoutes } from './resources/boot.ts';
import { bootSources } from './resources/boot-sources.ts';
import { bootSourceSelections } from './resources/boot-source-selections.ts';
import { cells } from './resources/cells.ts';
import { devices } from './resources/devices.ts';
import { dhcpSnippets } from './resources/dhcp-snippets.ts';
import { discoveries } from './resources/discoveries.ts';
import { dnsResourceRecords, dnsResources } from './resources/dns-resources.ts';
import { domainNames } from './resources/domain-names.ts';
import { domains } from './resources/domains.ts';
import { events } from './resources/events.ts';
import { fabrics } from './resources/fabrics.ts';
import { files } from './resources/files.ts';
import { findingRoutes } from './resources/findings.ts';
import { handOver } from './resources/hand-over.ts';
import { interfaces } from './resources/interfaces.ts';
import { ipAddresses } from './resources/ip-addresses.ts';
import { ipRanges } from './resources/ip-ranges.ts';
import { licenseKeys } from './resources/license-keys.ts';
import { machineActions } from './resources/machine-actions.ts';
import { machineBulk } from './resources/machine-bulk.ts';
import { machineNetworking } from './resources/machine-networking.ts';
import { machineChassis } from './resources/machine-chassis.ts';
import { machineClone } from './resources/machine-clone.ts';
import { machines } from './resources/machines.ts';
import { metadata } from './resources/metadata.ts';
import { notifications } from './resources/notifications.ts';
import { nodes } from './resources/nodes.ts';
import { oidcProviders } from './resources/oidc-providers.ts';
import { networks } from './resources/networks.ts';
import { operationRoutes } from './resources/operations.ts';
import { packageRepositories } from './resources/package-repositories.ts';
import { partitions } from './resources/partitions.ts';
import { program } from './resources/program.ts';
import { rackControllers } from './resources/rack-controllers.ts';
import { raids } from './resources/raids.ts';
import { regionControllers } from './resources/region-controllers.ts';
import { replica } from './resources/replica.ts';
import { reservedIps } from './resources/reserved-ips.ts';
import { resourcePools } from './resources/resource-pools.ts';
import { scripts } from './resources/scripts.ts';
import { commissioningScripts } from './resources/commissioning-scripts.ts';
import { machineHardware } from './resources/machine-hardware.ts';
import { nodeDevices } from './resources/node-devices.ts';
import { scriptWrites } from './resources/script-writes.ts';
import { sessions } from './resources/sessions.ts';
import { settings } from './resources/settings.ts';
import { spaces } from './resources/spaces.ts';
import { sshKeys } from './resources/ssh-keys.ts';
import { sslKeys } from './resources/ssl-keys.ts';
import { staticRoutes } from './resources/static-routes.ts';
import { storageLayouts } from './resources/storage-layouts.ts';
import { subnets } from './resources/subnets.ts';
import { tags } from './resources/tags.ts';
import { users } from './resources/users.ts';
import { vlans } from './resources/vlans.ts';
import { vmfsDatastores } from './resources/vmfs-datastores.ts';
import { volumeGroups } from './resources/volume-groups.ts';
import { zones } from './resources/zones.ts';

export const routes = {
  ...program,
  ...account,
  ...sessions,
  ...users,
  ...sshKeys,
  ...sslKeys,
  ...files,
  ...notifications,
  ...licenseKeys,
  ...oidcProviders,
  ...machines,
  ...machineBulk,
  ...machineChassis,
  ...machineClone,
  ...machineActions,
  ...machineNetworking,
  ...interfaces,
  ...blockDevices,
  ...partitions,
  ...volumeGroups,
  ...raids,
  ...bcaches,
  ...vmfsDatastores,
  ...storageLayouts,
  ...operationRoutes,
  ...scripts,
  ...scriptWrites,
  ...commissioningScripts,
  ...machineHardware,
  ...nodeDevices,
  ...events,
  ...findingRoutes,
  ...tags,
  ...zones,
  ...resourcePools,
  ...domains,
  ...domainNames,
  ...spaces,
  ...fabrics,
  ...vlans,
  ...subnets,
  ...ipRanges,
  ...ipAddresses,
  ...reservedIps,
  ...staticRoutes,
  ...dhcpSnippets,
  ...dnsResources,
  ...dnsResourceRecords,
  ...discoveries,
  ...networks,
  ...bootResources,
  ...bootSources,
  ...bootSourceSelections,
  ...packageRepositories,
  ...rackControllers,
  ...regionControllers,
  ...devices,
  ...nodes,
  ...settings,
  ...cells,
  ...handOver,
  ...replica,
  ...metadata,
  ...bootRoutes,
} as const satisfies Record<string, Route>;

/**
 * Handlers that exist only because MAAS has the same resource under two paths. The describe document shows the other one, and nothing
 * else there has two.
 */
export const aliases = {
  VlanById: 'Vlan',
  InstallationResults: 'NodeResults',
  PartitionOfList: 'Partition',
  VolumeGroupOfList: 'VolumeGroup',
} as const;

export type Routes = typeof routes;
export type RouteId = keyof Routes;
export type RoutePath<K extends RouteId> = PathOf<Routes[K]['path']>;
export type RouteParams<K extends RouteId> = ParamsOf<Routes[K]>;
export type RouteReply<K extends RouteId> = ReplyOf<Routes[K]>;
