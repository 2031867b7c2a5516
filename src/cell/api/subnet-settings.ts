/** A subnet's settings from parameters, judged by themselves. Pure. */
import { invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import { formatAddress, formatNetwork, isHost, parseAddress, parseNetwork, type IpNetwork } from './ip-address.ts';

/** Words of a repeated or separated list. */
export function wordsOf(list: readonly string[]): string[] {
  return list.flatMap((text) => text.split(/[\s,]+/)).filter((word) => word !== '');
}

/** @throws Failure `invalid`. */
export function networkOf(cidr: string): IpNetwork {
  const network = parseNetwork(cidr);
  if (!network) throw invalid({ cidr: [`'${cidr.slice(0, 100)}' does not appear to be an IPv4 or IPv6 network`] });
  if (network.prefix === 0) throw invalid({ cidr: [`Prefix length must be greater than 0.`] });
  return network;
}

/** Null for an empty text. @throws Failure `invalid` when it is no address of a host in the subnet. */
export function gatewayOf(text: string, network: IpNetwork): string | null {
  if (text.trim() === '') return null;
  const address = parseAddress(text.trim());
  if (!address) throw invalid({ gateway_ip: ['Enter a valid IPv4 or IPv6 address.'] });
  // An IPv6 router may be known by its link-local address (RFC 4861 §4.2).
  const isLinkLocal = address.family === 6 && network.family === 6 && address.value >> 118n === 0x3fan;
  if (!isLinkLocal && !isHost(network, address)) throw invalid({ gateway_ip: ['Gateway IP must be within CIDR range.'] });
  return formatAddress(address);
}

function serversOf(list: readonly string[]): string[] {
  return wordsOf(list).map((word) => {
    const address = parseAddress(word);
    if (!address)
      throw invalid({ dns_servers: [`Invalid IP address: ${word.slice(0, 100)}; provide a list of space-separated IP addresses`] });
    return formatAddress(address);
  });
}

type Settings = Omit<RouteParams<'Subnet.update'>, 'vlan' | 'fabric' | 'vid'>;

/** What to write of the settings that were given; those that were not are left out. `cidr` is not among them. */
export function settingsOf(params: Settings, network: IpNetwork) {
  const { name, description, rdns_mode, allow_dns, allow_proxy, managed, active_discovery } = params;
  const given = { name, description, rdns_mode, allow_dns, allow_proxy, managed, active_discovery };
  return {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<typeof given>),
    ...(params.gateway_ip === undefined ? {} : { gateway_ip: gatewayOf(params.gateway_ip, network) }),
    ...(params.dns_servers === undefined ? {} : { dns_servers: serversOf(params.dns_servers) }),
    ...(params.disabled_boot_architectures === undefined
      ? {}
      : { disabled_boot_architectures: wordsOf(params.disabled_boot_architectures) }),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The name of a subnet that nobody has named: its CIDR. */
export function nameOf(name: string | undefined, network: IpNetwork): string {
  return name ?? formatNetwork(network);
}
