/** The addresses of a cell that machines are ever given (architecture §3): one, or a set where it has several processes. */
import { isIP } from 'node:net';
import type { CellConfig } from './config.ts';

export interface ServiceAddresses {
  /** This process' own. */
  readonly own: string;
  /** All that machines are given, this process' own first where it is among them: whoever got an answer here goes on here. */
  readonly all: readonly string[];
  /** The same as base URLs, `http://10.40.1.1:5240`. */
  readonly urls: readonly string[];
}

/** What is written into the hosts file of a deployed system when there are several: Python and glibc try the addresses of a name in turn. */
export const cellHostName = 'muster-cell';

/** @throws RangeError for something that is no address. */
export function serviceAddressesOf(config: Pick<CellConfig, 'service_address' | 'service_addresses' | 'port'>): ServiceAddresses {
  const own = config.service_address;
  const given = config.service_addresses ?? [];
  for (const address of given)
    if (isIP(address) !== 4) throw new RangeError(`service_addresses: ${JSON.stringify(address)} is no IPv4 address.`);
  const set = given.length === 0 ? [own] : [...new Set(given)];
  const all = set.includes(own) ? [own, ...set.filter((address) => address !== own)] : set;
  return { own, all, urls: all.map((address) => `http://${address}:${config.port}`) };
}
