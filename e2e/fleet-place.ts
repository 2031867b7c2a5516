/**
 * Where a fleet under test lives: addresses for hub, fronts, cells and their racks. On loopback each fleet has a block of 127.0.0.0/8 to
 * itself, so that several runs do not meet; in a network of namespaces every program has its own, and any two can be cut from each other.
 */
import { createServer, type Server } from 'node:net';

export interface FleetPlace extends AsyncDisposable {
  /** Whether the addresses are on loopback, where a hub takes passwords without TLS. */
  readonly loopback: boolean;
  /** The address of a program: `hub`, `f1`, `c1`, … */
  addressOf(name: string): string;
  /** A second address for a cell, which a tap listens on. */
  tapOf(cell: number): string;
  /** Service address, rack interface and machines' addresses of cell N. */
  rackOf(cell: number): RackPlace;
  /** Words that run a program where it lives. */
  wrap(name: string): (argv: readonly string[]) => readonly string[];
  /** Lose everything that `from` sends to `to`; where there is a network of its own. */
  cut?(from: string, to: string): Promise<void>;
  mend?(from: string, to: string): Promise<void>;
}

export interface RackPlace {
  readonly serviceAddress: string;
  readonly interfaceName: string;
  readonly machines: string;
  readonly bmcs: string;
}

export const programPort = 5240;
export const hubPort = 5242;
export const hubPlainPort = 5243;
export const bmcPort = 8443;

/** Second octets that nothing else of ours uses (40, 42, 43 are the demo's and the simulator's). */
const firstBlock = 60;
const lastBlock = 190;

function listen(address: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ host: address, port, exclusive: true }, () => resolve(server));
  });
}

/** A block of loopback addresses, held by a listener until it is disposed. Linux only: elsewhere 127.0.0.1 is all there is. */
export async function loopbackPlace(): Promise<FleetPlace> {
  for (let tries = 0; tries <= lastBlock - firstBlock; tries += 1) {
    const block = firstBlock + ((process.pid + tries) % (lastBlock - firstBlock + 1));
    const held = await listen(`127.${block}.255.1`, programPort);
    if (held === undefined) continue;
    const rackOf = (cell: number): RackPlace => ({
      serviceAddress: `127.${block}.${cell}.1`,
      interfaceName: 'lo',
      machines: `127.${block}.${cell}.17`,
      bmcs: `127.${block}.${cell}.65`,
    });
    const hosts: Readonly<Record<string, number>> = { h: 2, f: 10, c: 0 };
    return {
      loopback: true,
      addressOf: (name) => {
        const [kind = '', number] = [name[0], Number(name.slice(1))];
        if (kind === 'c') return rackOf(number).serviceAddress;
        return `127.${block}.0.${(hosts[kind] ?? 0) + (kind === 'f' ? number : 0)}`;
      },
      tapOf: (cell) => `127.${block}.${cell}.2`,
      rackOf,
      wrap: () => (argv) => argv,
      [Symbol.asyncDispose]: () => new Promise((resolve) => held.close(() => resolve())),
    };
  }
  throw new Error(`No block from 127.${firstBlock}.0.0 to 127.${lastBlock}.0.0 is free: too many fleets at once.`);
}
