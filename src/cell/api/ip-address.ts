/** IP addresses and networks of both families as numbers. Pure; nothing here throws on outside text. */
import { isIPv4, isIPv6 } from 'node:net';

export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface IpNetwork {
  readonly family: 4 | 6;
  readonly prefix: number;
  /** The network's own address. */
  readonly first: bigint;
  /** The last address: IPv4's broadcast address. */
  readonly last: bigint;
}

const bitsOf = { 4: 32, 6: 128 } as const;

/** Undefined for anything but one plain address; an IPv6 address with a zone is none. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: joined(text.split('.').map(Number), 8n) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const octets = (tail?.slice(2) ?? []).map(Number);
  const plain = tail ? `${tail[1]}${pair(octets, 0)}:${pair(octets, 2)}` : text;
  const [head = '', rest] = plain.split('::');
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const gap = rest === undefined ? 0 : 8 - before.length - after.length;
  return { family: 6, value: joined([...before, ...Array.from({ length: gap }, () => 0), ...after], 16n) };
}

function pair(octets: readonly number[], at: number): string {
  return (((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0)).toString(16);
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function joined(parts: readonly number[], width: bigint): bigint {
  return parts.reduce((value, part) => (value << width) | BigInt(part), 0n);
}

/** As PostgreSQL and RFC 5952 write it. */
export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const parts = Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(112 - 16 * at)) & 0xffffn));
  let best = { at: -1, length: 1 };
  for (let at = 0, length = 0; at < 8; at += 1) {
    length = parts[at] === 0 ? length + 1 : 0;
    if (length > best.length) best = { at: at - length + 1, length };
  }
  const text = (from: number, to: number): string =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(':');
  return best.at < 0 ? text(0, 8) : `${text(0, best.at)}::${text(best.at + best.length, 8)}`;
}

/** `10.0.0.0/24`; bits behind the prefix are cut off, as MAAS does. Undefined when it is no network. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [address, length, ...more] = text.split('/');
  const at = parseAddress(address ?? '');
  if (!at || more.length > 0 || !/^\d{1,3}$/.test(length ?? '') || Number(length) > bitsOf[at.family]) return undefined;
  const size = 1n << BigInt(bitsOf[at.family] - Number(length));
  const first = (at.value / size) * size;
  return { family: at.family, prefix: Number(length), first, last: first + size - 1n };
}

export function formatNetwork(network: IpNetwork): string {
  return `${formatAddress({ family: network.family, value: network.first })}/${network.prefix}`;
}

export function isInside(network: IpNetwork, address: IpAddress): boolean {
  return address.family === network.family && address.value >= network.first && address.value <= network.last;
}

/**
 * The first and last address that a machine may have: not the network's own, nor IPv4's broadcast address; all of them in the two
 * smallest networks (RFC 3021, RFC 6164).
 */
export function hostsOf(network: IpNetwork): { readonly first: bigint; readonly last: bigint } {
  if (bitsOf[network.family] - network.prefix < 2) return { first: network.first, last: network.last };
  return { first: network.first + 1n, last: network.family === 4 ? network.last - 1n : network.last };
}

/** May a machine have this address here? */
export function isHost(network: IpNetwork, address: IpAddress): boolean {
  const { first, last } = hostsOf(network);
  return address.family === network.family && address.value >= first && address.value <= last;
}
