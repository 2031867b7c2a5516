/** Every handler of a cell that is about networks, the parts of machines, results, and the cell itself. */
import { bcacheHandlers } from './bcaches.ts';
import { blockDeviceHandlers } from './block-devices.ts';
import { cellHandlers } from './cells.ts';
import { deviceHandlers } from './devices.ts';
import { domainHandlers } from './domains.ts';
import { fabricHandlers } from './fabrics.ts';
import { interfaceLinkHandlers } from './interface-links.ts';
import { interfaceStackHandlers } from './interface-stacks.ts';
import { interfaceHandlers } from './interfaces.ts';
import { ipRangeHandlers } from './ip-ranges.ts';
import { dhcpSnippetHandlers } from './dhcp-snippets.ts';
import { discoveryHandlers } from './discoveries.ts';
import { dnsResourceRecordHandlers } from './dns-resource-records.ts';
import { dnsResourceHandlers } from './dns-resources.ts';
import { ipAddressHandlers } from './ip-addresses.ts';
import { oldNetworkHandlers } from './networks.ts';
import { reservedIpHandlers } from './reserved-ips.ts';
import type { NetworkContext } from './network-context.ts';
import { nodeHandlers } from './nodes.ts';
import { nodeDeviceHandlers } from './node-devices.ts';
import { partitionHandlers } from './partitions.ts';
import { rackControllerHandlers } from './rack-controllers.ts';
import { raidHandlers } from './raids.ts';
import { resultHandlers } from './results.ts';
import { staticRouteHandlers } from './static-routes.ts';
import { subnetAddressHandlers } from './subnet-addresses.ts';
import { subnetHandlers } from './subnets.ts';
import { tagMemberHandlers } from './tag-members.ts';
import { versionHandlers } from './version.ts';
import { vlanHandlers } from './vlans.ts';
import { vmfsDatastoreHandlers } from './vmfs-datastores.ts';
import { volumeGroupHandlers } from './volume-groups.ts';

/** Handlers of `Fabric`, `Vlan`, `Subnet`, `IPRange`, `Domain`, `StaticRoute`, `Interface`, `BlockDevice`, results, tag members, `RackControllers`, `Cell` and `Version`. */
export function networkHandlers(context: NetworkContext) {
  return {
    ...fabricHandlers(context),
    ...vlanHandlers(context),
    ...subnetHandlers(context),
    ...subnetAddressHandlers(context),
    ...ipRangeHandlers(context),
    ...domainHandlers(context),
    ...dhcpSnippetHandlers(context),
    ...discoveryHandlers(context),
    ...dnsResourceRecordHandlers(context),
    ...dnsResourceHandlers(context),
    ...ipAddressHandlers(context),
    ...oldNetworkHandlers(context),
    ...reservedIpHandlers(context),
    ...staticRouteHandlers(context),
    ...interfaceHandlers(context),
    ...interfaceStackHandlers(context),
    ...interfaceLinkHandlers(context),
    ...blockDeviceHandlers(context),
    ...partitionHandlers(context),
    ...volumeGroupHandlers(context),
    ...raidHandlers(context),
    ...bcacheHandlers(context),
    ...vmfsDatastoreHandlers(context),
    ...tagMemberHandlers(context),
    ...resultHandlers(context),
    ...nodeDeviceHandlers(context),
    ...nodeHandlers(context),
    ...deviceHandlers(context),
    ...rackControllerHandlers(context),
    ...versionHandlers(context),
    ...cellHandlers(context),
  };
}
