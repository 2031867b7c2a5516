/** Every handler of a cell that is about networks, the parts of machines, results, and the cell itself. */
import { blockDeviceHandlers } from './block-devices.ts';
import { cellHandlers } from './cells.ts';
import { domainHandlers } from './domains.ts';
import { fabricHandlers } from './fabrics.ts';
import { interfaceLinkHandlers } from './interface-links.ts';
import { interfaceHandlers } from './interfaces.ts';
import { ipRangeHandlers } from './ip-ranges.ts';
import type { NetworkContext } from './network-context.ts';
import { rackControllerHandlers } from './rack-controllers.ts';
import { resultHandlers } from './results.ts';
import { staticRouteHandlers } from './static-routes.ts';
import { subnetAddressHandlers } from './subnet-addresses.ts';
import { subnetHandlers } from './subnets.ts';
import { tagMemberHandlers } from './tag-members.ts';
import { versionHandlers } from './version.ts';
import { vlanHandlers } from './vlans.ts';

/** Handlers of `Fabric`, `Vlan`, `Subnet`, `IPRange`, `Domain`, `StaticRoute`, `Interface`, `BlockDevice`, results, tag members, `RackControllers`, `Cell` and `Version`. */
export function networkHandlers(context: NetworkContext) {
  return {
    ...fabricHandlers(context),
    ...vlanHandlers(context),
    ...subnetHandlers(context),
    ...subnetAddressHandlers(context),
    ...ipRangeHandlers(context),
    ...domainHandlers(context),
    ...staticRouteHandlers(),
    ...interfaceHandlers(context),
    ...interfaceLinkHandlers(context),
    ...blockDeviceHandlers(context),
    ...tagMemberHandlers(context),
    ...resultHandlers(context),
    ...rackControllerHandlers(context),
    ...versionHandlers(context),
    ...cellHandlers(context),
  };
}
