/** IPv4 addresses and subnets as numbers. Pure; nothing here throws on outside text. */

/** An address as an unsigned 32-bit number; undefined for anything but four decimal octets. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return undefined;
    value = value * 256 + Number(octet);
  }
  return value;
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

export interface Ipv4Subnet {
  readonly prefix: number;
  /** The network's own address. */
  readonly first: number;
  /** The broadcast address. */
  readonly last: number;
}

/** `10.0.0.0/24`; undefined when it is none, or when bits are set behind the prefix. */
export function parseSubnet(text: string): Ipv4Subnet | undefined {
  const [address, length, ...rest] = text.split('/');
  const first = parseIpv4(address ?? '');
  if (first === undefined || rest.length || !/^\d{1,2}$/.test(length ?? '') || Number(length) > 32) return undefined;
  const size = 2 ** (32 - Number(length));
  return first % size === 0 ? { prefix: Number(length), first, last: first + size - 1 } : undefined;
}

/** May a machine have this address here? Network and broadcast address are nobody's, except in /31 and /32 (RFC 3021). */
export function isHostOf(subnet: Ipv4Subnet, address: number): boolean {
  const edge = subnet.prefix < 31 && (address === subnet.first || address === subnet.last);
  return address >= subnet.first && address <= subnet.last && !edge;
}
