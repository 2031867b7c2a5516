/** What of a subnet is taken and what is free. */
import type { Handlers } from '../../http/handler.ts';
import { readRanges } from '../db/ip-range-store.ts';
import { readNetworks, type SubnetRow } from '../db/network-read.ts';
import { takenAddresses, type TakenAddress } from '../db/subnet-store.ts';
import { networkOf } from './subnet-settings.ts';
import { maasTime } from '../../contract/maas-time.ts';
import type { NetworkContext } from './network-context.ts';
import { allocations } from './ip-address-body.ts';
import { found } from './network-view.ts';
import { findSubnet } from './specifier.ts';
import { allParts, occupationOf, statisticsOf, suggestionsOf, type Taking } from './taken-ranges.ts';

function addressBody(taken: TakenAddress, { withUser, withSummary }: { readonly withUser: boolean; readonly withSummary: boolean }) {
  return {
    ip: taken.ip,
    ...(allocations[taken.mode] ?? { alloc_type: 6, alloc_type_name: 'Observed' }),
    created: maasTime(taken.created),
    updated: maasTime(taken.created),
    ...(withSummary && taken.system_id !== null
      ? {
          node_summary: {
            system_id: taken.system_id,
            node_type: taken.node_type ?? 0,
            fqdn: `${taken.hostname ?? ''}.${taken.domain ?? ''}`,
            hostname: taken.hostname ?? '',
            via: taken.interface ?? '',
          },
        }
      : {}),
    ...(withUser ? { user: taken.owner } : {}),
  };
}

type AddressRoute = `Subnet.${'statistics' | 'reserved_ip_ranges' | 'unreserved_ip_ranges' | 'ip_addresses'}`;

export function subnetAddressHandlers(context: NetworkContext): Handlers<AddressRoute> {
  const { db } = context.database;
  const subnetOf = async (text: string): Promise<SubnetRow> => found(findSubnet(await readNetworks(db), text), 'Subnet');
  const occupation = async (id: string) => {
    const subnet = await subnetOf(id);
    const [ranges, addresses] = await Promise.all([readRanges(db, { subnetId: subnet.id }), takenAddresses(db, subnet.id)]);
    const one = (ip: string, purpose: Taking['purpose']): Taking => ({ start: ip, end: ip, purpose });
    const takings = [
      ...(subnet.gateway_ip === null ? [] : [one(subnet.gateway_ip, 'gateway-ip')]),
      ...subnet.dns_servers.map((ip) => one(ip, 'dns-server')),
      ...ranges.map((range) => ({ start: range.start_ip, end: range.end_ip, purpose: range.type })),
      ...addresses.map(({ ip }) => one(ip, 'assigned-ip')),
    ];
    const network = networkOf(subnet.cidr);
    return { network, ...occupationOf(network, takings, subnet.managed) };
  };
  return {
    'Subnet.statistics': async ({ path, params }) => {
      const { network, ...rest } = await occupation(path.id);
      return {
        ...statisticsOf(network, rest),
        ...(params.include_ranges === true ? { ranges: allParts(rest) } : {}),
        ...(params.include_suggestions === true ? suggestionsOf(network, rest) : {}),
      };
    },
    'Subnet.reserved_ip_ranges': async ({ path }) => [...(await occupation(path.id)).taken],
    'Subnet.unreserved_ip_ranges': async ({ path }) => [...(await occupation(path.id)).free],
    'Subnet.ip_addresses': async ({ path, params }) => {
      const subnet = await subnetOf(path.id);
      const options = {
        withUser: params.with_username ?? true,
        withSummary: (params.with_summary ?? true) && (params.with_node_summary ?? true),
      };
      return (await takenAddresses(db, subnet.id)).map((taken) => addressBody(taken, options));
    },
  };
}
