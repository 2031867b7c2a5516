/** Leases as Kea's control socket gives them. */
import { isIPv4 } from 'node:net';
import { macAddress } from './boot-asker.ts';

export interface Lease {
  readonly address: string;
  /** Lower case with colons. */
  readonly mac: string;
  /** Empty for none, and for what is no name. */
  readonly hostname: string;
  readonly subnetId: number;
  /** Seconds since 1970. */
  readonly expires: number;
}

export interface LeasePage {
  readonly leases: readonly Lease[];
  /** What the next page is asked from: the address of the last entry, active or not. Undefined when there is no more. */
  readonly next: string | undefined;
}

/** What a host may call itself: Kea replaces other bytes, and what it is not told to replace is left out here. */
const hostName = /^[a-z0-9._-]{1,253}$/i;

function leaseOf(entry: unknown): Lease | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { hostname, 'subnet-id': subnetId, cltt, 'valid-lft': lifetime, state, ...more } = entry as Record<string, unknown>;
  const address = addressOf(entry);
  const mac = typeof more['hw-address'] === 'string' ? macAddress(more['hw-address']) : undefined;
  if (address === undefined || mac === undefined || typeof subnetId !== 'number' || state !== 0) return undefined;
  if (typeof cltt !== 'number' || typeof lifetime !== 'number') return undefined;
  const name = typeof hostname === 'string' && hostName.test(hostname) ? hostname : '';
  return { address, mac, hostname: name, subnetId, expires: cltt + lifetime };
}

function addressOf(entry: unknown): string | undefined {
  const address = typeof entry === 'object' && entry !== null && 'ip-address' in entry ? entry['ip-address'] : undefined;
  return typeof address === 'string' && isIPv4(address) ? address : undefined;
}

/** Reads the arguments of a `lease4-get-page` answer of at most `limit` entries; those that are no active lease are left out. Never throws. */
export function parseLeases(value: unknown, limit: number): LeasePage {
  const list =
    typeof value === 'object' && value !== null && 'leases' in value && Array.isArray(value.leases) ? (value.leases as unknown[]) : [];
  return {
    leases: list.flatMap((entry) => leaseOf(entry) ?? []),
    next: list.length < limit ? undefined : addressOf(list.at(-1)),
  };
}
