/** Keeps what a process of the cell sees of its networks: the kernel's neighbours and Kea's leases, every half minute and after a scan. */
import type { Logger } from 'pino';
import type { CellDb } from './db/cell-db.ts';
import { saveNeighbours, type SeenHost } from './db/neighbour-store.ts';
import type { Lease } from './netboot/lease.ts';
import type { RackInterface } from './network/dhcp.ts';
import { readKernelNeighbours } from './network/neighbours.ts';
import { askForAddresses, reachableAddresses, type AddressRange } from './network/scan.ts';

export interface DiscoveryCareOptions {
  readonly db: CellDb;
  readonly rack: readonly RackInterface[];
  /** This process, as a rack controller. */
  readonly observer: string;
  /** Kea's; left out where this process serves no DHCP. */
  readonly leases: (() => Promise<readonly Lease[]>) | undefined;
  readonly log: Logger;
  readonly everyMs?: number;
}

export interface DiscoveryCare extends AsyncDisposable {
  /** Look now. */
  look(): Promise<void>;
  /** Ask for each of these addresses in the background. */
  scan(ranges: readonly AddressRange[], atOnce: number): 'started' | 'busy' | 'elsewhere';
}

/** Leases that run now, with the interface left open: Kea says the subnet. Pure. */
export function leasedHosts(leases: readonly Lease[], now: number): SeenHost[] {
  return leases
    .filter((lease) => lease.expires * 1000 > now)
    .map(({ address, mac, hostname }) => ({ ip: address, mac: mac.toLowerCase(), interface: '', hostname }));
}

/** One entry for each host: where it was seen by the kernel, and what it calls itself to DHCP. Pure. */
export function mergedHosts(seen: readonly Omit<SeenHost, 'hostname'>[], leased: readonly SeenHost[]): SeenHost[] {
  const key = ({ ip, mac }: Pick<SeenHost, 'ip' | 'mac'>): string => `${ip} ${mac}`;
  const hosts = new Map(leased.map((host) => [key(host), host]));
  for (const host of seen) hosts.set(key(host), { ...host, hostname: hosts.get(key(host))?.hostname ?? '' });
  return [...hosts.values()];
}

/** Start looking. A look that fails is told in the log, and the next one follows. */
export function startDiscoveryCare(options: DiscoveryCareOptions): DiscoveryCare {
  const { db, rack, observer, leases, log, everyMs = 30_000 } = options;
  const names = rack.map((one) => one.name);
  const ending = new AbortController();
  let scanning: Promise<void> | undefined;
  let looking: Promise<void> = Promise.resolve();

  async function lookOnce(): Promise<void> {
    try {
      const [seen, leased] = await Promise.all([readKernelNeighbours(names), leases?.() ?? []]);
      await saveNeighbours(db, observer, mergedHosts(seen, leasedHosts(leased, Date.now())));
    } catch (error) {
      log.warn({ err: error }, 'the neighbours on the networks could not be read');
    }
  }
  /** One behind the other. */
  const look = (): Promise<void> => (looking = looking.then(lookOnce));
  const timer = rack.length > 0 || leases ? setInterval(() => void look(), everyMs) : undefined;
  timer?.unref();

  return {
    look,
    scan(ranges, atOnce) {
      const addresses = reachableAddresses(ranges, rack);
      if (addresses.length === 0) return 'elsewhere';
      if (scanning) return 'busy';
      scanning = askForAddresses(addresses, atOnce, ending.signal)
        .then(look)
        .finally(() => {
          scanning = undefined;
        });
      return 'started';
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      ending.abort();
      await scanning;
      await looking;
    },
  };
}
