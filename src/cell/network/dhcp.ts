/**
 * DHCP kept in step with the network: read whole, derived purely, pushed debounced. Nothing that DHCP says depends on a machine's state;
 * it names machines only to give them the same address each time.
 */
import type { NetworkRow } from '../db/network-plan.ts';
import { parseIpv4, parseSubnet } from '../../contract/ipv4.ts';

export interface RackInterface {
  readonly name: string;
  /** `10.40.1.1/24`: the cell's own address there. */
  readonly address: string;
}

/** The plan for these rows, as netboot's door wants it: a VLAN is on the rack interface whose own address lies in one of its subnets; others are reached by relays. */
export function planNetwork(
  rows: readonly NetworkRow[],
  rack: readonly RackInterface[],
  dnsServers: readonly string[],
  domain: string,
  ntpServers: readonly string[] = [],
) {
  return {
    vlans: rows.map((row) => {
      const at = rack.find((one) => row.subnets.some((subnet) => contains(subnet.cidr, one.address.split('/')[0] ?? '')));
      return {
        id: row.vlan_id,
        dhcpOn: row.dhcp_on,
        ...(at === undefined ? {} : { interface: at.name }),
        mtu: row.mtu,
        subnets: row.subnets
          .filter((subnet) => !subnet.cidr.includes(':'))
          .map((subnet) => ({
            id: subnet.id,
            cidr: subnet.cidr,
            ...(subnet.gateway_ip === null ? {} : { gateway: subnet.gateway_ip }),
            dnsServers: subnet.dns_servers.length > 0 ? subnet.dns_servers : dnsServers,
            ntpServers,
            domain,
            relays: [],
            ranges: subnet.ranges
              .filter((range) => range.type === 'dynamic')
              .map((range) => ({ start: range.start, end: range.end, snippets: range.snippets })),
            reservations: subnet.reservations.map((one) => ({
              mac: one.mac,
              address: one.ip,
              ...(one.hostname === null ? {} : { hostname: one.hostname }),
              snippets: one.snippets,
            })),
            snippets: subnet.snippets,
          })),
      };
    }),
  };
}

/** The MACs that a plan names, by machine: what a power-on waits to see applied. */
export function namedMachines(rows: readonly NetworkRow[]): ReadonlySet<string> {
  return new Set(rows.flatMap((row) => row.subnets.flatMap((subnet) => subnet.reservations.flatMap((one) => one.system_id ?? []))));
}

function contains(cidr: string, address: string): boolean {
  const subnet = parseSubnet(cidr);
  const at = parseIpv4(address);
  return subnet !== undefined && at !== undefined && at >= subnet.first && at <= subnet.last;
}
