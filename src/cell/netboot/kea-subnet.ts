/** One subnet in Kea's words: pools, options, reservations by MAC. What does not fit is left out and named. */
import { formatIpv4, isHostOf, parseIpv4, parseSubnet, type Ipv4Subnet } from '../../contract/ipv4.ts';
import type { Snippet, SubnetPlan, VlanPlan } from './network-plan.ts';
import { macAddress } from './boot-asker.ts';
import { withSnippets, type Json, type JsonObject } from './dhcp-snippet.ts';

const rowsPerCell = 100_000_000_000;
const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i;

/** A host or domain name of RFC 1123 labels. */
function isName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => label.test(part));
}

function pools(subnet: SubnetPlan, net: Ipv4Subnet, problems: string[]): Json[] {
  const accepted: { start: number; end: number; snippets: readonly Snippet[] }[] = [];
  const ranges = subnet.ranges
    .map(({ start, end, snippets = [] }) => ({ start: parseIpv4(start), end: parseIpv4(end), text: `${start}-${end}`, snippets }))
    .sort((a, b) => (a.start ?? -1) - (b.start ?? -1) || (a.end ?? -1) - (b.end ?? -1));
  for (const { start, end, text, snippets } of ranges) {
    if (start === undefined || end === undefined || end < start || !isHostOf(net, start) || !isHostOf(net, end)) {
      problems.push(`subnet ${subnet.cidr}: the range ${JSON.stringify(text)} does not lie in it`);
    } else if (start <= (accepted.at(-1)?.end ?? -1)) {
      problems.push(`subnet ${subnet.cidr}: the range ${text} overlaps another`);
    } else accepted.push({ start, end, snippets });
  }
  return accepted.map(({ start, end, snippets }) => {
    const pool = `${formatIpv4(start)}-${formatIpv4(end)}`;
    return withSnippets({ pool }, snippets, 'range', `range ${pool}`, problems);
  });
}

function reservations(subnet: SubnetPlan, net: Ipv4Subnet, problems: string[]): Json[] {
  const macs = new Set<string>();
  const addresses = new Set<number>();
  const accepted: { mac: string; address: number; hostname: string | undefined; snippets: readonly Snippet[] }[] = [];
  const keyed = subnet.reservations.map((row) => ({ ...row, key: `${row.mac.toLowerCase()} ${row.address} ${row.hostname ?? ''}` }));
  for (const row of keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))) {
    const mac = macAddress(row.mac);
    const address = parseIpv4(row.address);
    const what = `subnet ${subnet.cidr}: the reservation ${JSON.stringify(row.mac)} → ${JSON.stringify(row.address)}`;
    if (mac === undefined) problems.push(`${what} has no MAC address`);
    else if (address === undefined || !isHostOf(net, address)) problems.push(`${what} does not lie in it`);
    else if (macs.has(mac)) problems.push(`${what}: this MAC has another one here`);
    else if (addresses.has(address)) problems.push(`${what}: this address is another's`);
    else {
      macs.add(mac);
      addresses.add(address);
      const good = row.hostname === undefined || isName(row.hostname);
      if (!good) problems.push(`${what}: ${JSON.stringify(row.hostname)} is no host name, so it is left out`);
      accepted.push({ mac, address, hostname: good ? row.hostname : undefined, snippets: row.snippets ?? [] });
    }
  }
  return accepted
    .sort((a, b) => a.address - b.address)
    .map(({ mac, address, hostname, snippets }) => {
      const host = { 'hw-address': mac, 'ip-address': formatIpv4(address), ...(hostname === undefined ? {} : { hostname }) };
      return withSnippets(host, snippets, 'node', `host ${mac}`, problems);
    });
}

function addressList(what: string, texts: readonly string[], subnet: SubnetPlan, problems: string[]): string[] {
  return texts.filter((text) => {
    const fine = parseIpv4(text) !== undefined;
    if (!fine) problems.push(`subnet ${subnet.cidr}: ${what} ${JSON.stringify(text)} is no IPv4 address`);
    return fine;
  });
}

function options(subnet: SubnetPlan, vlan: VlanPlan, net: Ipv4Subnet, problems: string[]): JsonObject[] {
  const found: JsonObject[] = [];
  const gateway = subnet.gateway === undefined ? undefined : parseIpv4(subnet.gateway);
  if (gateway !== undefined && isHostOf(net, gateway)) found.push({ name: 'routers', data: formatIpv4(gateway) });
  else if (subnet.gateway !== undefined)
    problems.push(`subnet ${subnet.cidr}: the gateway ${JSON.stringify(subnet.gateway)} does not lie in it`);
  const dns = addressList('the DNS server', subnet.dnsServers, subnet, problems);
  if (dns.length) found.push({ name: 'domain-name-servers', data: dns.join(', ') });
  const ntp = addressList('the NTP server', subnet.ntpServers, subnet, problems);
  if (ntp.length) found.push({ name: 'ntp-servers', data: ntp.join(', ') });
  if (subnet.domain !== undefined) {
    if (isName(subnet.domain)) found.push({ name: 'domain-name', data: subnet.domain });
    else problems.push(`subnet ${subnet.cidr}: ${JSON.stringify(subnet.domain)} is no domain name`);
  }
  if (vlan.mtu !== undefined && vlan.mtu !== 1500) {
    if (Number.isInteger(vlan.mtu) && vlan.mtu >= 576 && vlan.mtu <= 65535) found.push({ name: 'interface-mtu', data: String(vlan.mtu) });
    else problems.push(`VLAN ${vlan.id}: the MTU ${vlan.mtu} is out of range`);
  }
  return found;
}

/** The subnet for Kea with its Kea id; undefined when it cannot be served at all. */
export function keaSubnet(subnet: SubnetPlan, vlan: VlanPlan, problems: string[]): { id: number; subnet: JsonObject } | undefined {
  const net = parseSubnet(subnet.cidr);
  const id = subnet.id % rowsPerCell;
  if (!net) {
    // IPv6 subnets belong to kea-dhcp6, not here, and are no mistake.
    if (!subnet.cidr.includes(':')) problems.push(`subnet ${JSON.stringify(subnet.cidr)} is no IPv4 subnet`);
    return undefined;
  }
  if (!Number.isSafeInteger(id) || id < 1 || id > 0xfffffffe) {
    problems.push(`subnet ${subnet.cidr}: its id ${subnet.id} does not fit Kea's 32 bits`);
    return undefined;
  }
  const relays = addressList('the relay', subnet.relays, subnet, problems);
  if (vlan.interface === undefined && !relays.length) {
    problems.push(`subnet ${subnet.cidr}: VLAN ${vlan.id} has neither an interface of this host nor a relay, so there is no DHCP on it`);
    return undefined;
  }
  const own = { 'option-data': options(subnet, vlan, net, problems) };
  const { 'option-data': optionData = [], ...settings } = withSnippets(own, subnet.snippets, 'subnet', `subnet ${subnet.cidr}`, problems);
  return {
    id,
    subnet: {
      id,
      subnet: subnet.cidr,
      ...(relays.length ? { relay: { 'ip-addresses': [...new Set(relays)].sort() } } : {}),
      ...settings,
      pools: pools(subnet, net, problems),
      'option-data': optionData,
      'reservations-in-subnet': true,
      reservations: reservations(subnet, net, problems),
    },
  };
}
