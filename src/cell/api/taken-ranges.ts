/** What of a subnet is taken, for what, and what is free. Pure. */
import { formatAddress, hostsOf, parseAddress, type IpNetwork } from './ip-address.ts';

export interface Taking {
  readonly start: string;
  readonly end: string;
  readonly purpose: 'gateway-ip' | 'dns-server' | 'dynamic' | 'reserved' | 'assigned-ip' | 'unmanaged';
}

export interface Part {
  readonly start: string;
  readonly end: string;
  readonly num_addresses: number;
}

interface Span {
  readonly first: bigint;
  readonly last: bigint;
  readonly purposes: readonly string[];
}

/** Cut the hosts of the network at every edge of a taking; neighbours of the same purposes are one. */
function spansOf(network: IpNetwork, takings: readonly Taking[]): Span[] {
  const hosts = hostsOf(network);
  const spans = takings.flatMap(({ start, end, purpose }) => {
    const [from, to] = [parseAddress(start), parseAddress(end)];
    if (from?.family !== network.family || to?.family !== network.family) return [];
    const first = from.value > hosts.first ? from.value : hosts.first;
    const last = to.value < hosts.last ? to.value : hosts.last;
    return first <= last ? [{ first, last, purpose }] : [];
  });
  const edges = [...new Set([hosts.first, hosts.last + 1n, ...spans.flatMap((span) => [span.first, span.last + 1n])])].toSorted(order);
  const edge = (at: number): bigint => edges[at] ?? 0n;
  // A sweep over the edges, so that a /16 full of addresses stays cheap.
  const starting = Map.groupBy(spans, (span) => span.first);
  const open = new Map<string, bigint>();
  const parts: Span[] = [];
  for (let at = 0; at + 1 < edges.length; at += 1) {
    const first = edge(at);
    for (const [purpose, last] of open) if (last < first) open.delete(purpose);
    for (const span of starting.get(first) ?? []) {
      if ((open.get(span.purpose) ?? -1n) < span.last) open.set(span.purpose, span.last);
    }
    const purposes = [...open.keys()].toSorted();
    const before = parts.at(-1);
    if (before && before.purposes.join() === purposes.join()) parts[parts.length - 1] = { ...before, last: edge(at + 1) - 1n };
    else parts.push({ first, last: edge(at + 1) - 1n, purposes });
  }
  return parts;
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function partOf(network: IpNetwork, span: Span): Part {
  const text = (value: bigint): string => formatAddress({ family: network.family, value });
  return { start: text(span.first), end: text(span.last), num_addresses: Number(span.last - span.first + 1n) };
}

export interface Occupation {
  readonly taken: readonly (Part & { readonly purpose: string[] })[];
  readonly free: readonly Part[];
}

/**
 * `managed` false: nothing may be given out but what is in a reserved range, so all else is taken as `unmanaged` and the reserved ranges
 * themselves are free.
 */
export function occupationOf(network: IpNetwork, takings: readonly Taking[], managed: boolean): Occupation {
  const spans = spansOf(network, takings).map((span) => (managed ? span : { ...span, purposes: unmanaged(span.purposes) }));
  return {
    taken: spans.filter((span) => span.purposes.length > 0).map((span) => ({ ...partOf(network, span), purpose: [...span.purposes] })),
    free: spans.filter((span) => span.purposes.length === 0).map((span) => partOf(network, span)),
  };
}

function unmanaged(purposes: readonly string[]): readonly string[] {
  return purposes.includes('reserved') ? purposes.filter((purpose) => purpose !== 'reserved') : [...purposes, 'unmanaged'];
}

/** Numbers of a subnet as `op=statistics` shows them. */
export function statisticsOf(network: IpNetwork, { free }: Occupation) {
  const hosts = hostsOf(network);
  const total = Number(hosts.last - hosts.first + 1n);
  const available = free.reduce((sum, part) => sum + part.num_addresses, 0);
  const usage = (total - available) / total;
  return {
    num_available: available,
    largest_available: Math.max(0, ...free.map((part) => part.num_addresses)),
    num_unavailable: total - available,
    total_addresses: total,
    usage,
    usage_string: `${Math.round(usage * 100)}%`,
    available_string: `${Math.round((1 - usage) * 100)}%`,
    first_address: formatAddress({ family: network.family, value: hosts.first }),
    last_address: formatAddress({ family: network.family, value: hosts.last }),
    ip_version: network.family,
  };
}

/** All parts of a subnet in order; free ones have the purpose `unused`, as MAAS calls them. */
export function allParts({ taken, free }: Occupation): (Part & { readonly purpose: string[] })[] {
  const parts = [...taken, ...free.map((part) => ({ ...part, purpose: ['unused'] }))];
  return parts.toSorted((a, b) => order(parseAddress(a.start)?.value ?? 0n, parseAddress(b.start)?.value ?? 0n));
}

/** Room that a dynamic range of its own is worth suggesting in: MAAS looks for a quarter of an IPv4 subnet. */
const leastDynamic = { 4: 2n, 6: 256n } as const;

/** Where a router and a dynamic range would fit: the first free address, and the end of the largest free part. Null where nothing does. */
export function suggestionsOf(network: IpNetwork, { taken, free }: Occupation) {
  const hosts = hostsOf(network);
  const text = (value: bigint): string => formatAddress({ family: network.family, value });
  const at = (address: string): bigint => parseAddress(address)?.value ?? 0n;
  const hasRouter = taken.some((part) => part.purpose.includes('gateway-ip'));
  const isFree = (value: bigint): boolean => free.some((part) => value >= at(part.start) && value <= at(part.end));
  const router = hasRouter ? undefined : [hosts.first, hosts.last].find(isFree);
  const hasDynamic = taken.some((part) => part.purpose.includes('dynamic'));
  const size = (part: Part): bigint => at(part.end) - at(part.start) + 1n;
  const [largest] = free.toSorted((a, b) => order(size(b), size(a)) || order(at(b.start), at(a.start)));
  const wanted = (hosts.last - hosts.first + 1n) / 4n;
  const last = largest && at(largest.end) - (router === at(largest.end) ? 1n : 0n);
  const room = largest && last !== undefined ? last - at(largest.start) + 1n - (router === at(largest.start) ? 1n : 0n) : 0n;
  const length = room < wanted ? room : wanted;
  const fits = !hasDynamic && last !== undefined && length >= leastDynamic[network.family];
  return {
    suggested_gateway: router === undefined ? null : text(router),
    suggested_dynamic_range: fits
      ? { start: text(last - length + 1n), end: text(last), num_addresses: Number(length), purpose: ['dynamic'] }
      : null,
  };
}
