/**
 * Two Keas that serve one network: Kea's own high-availability hook in hot-standby, leases synchronised (Kea's manual, "High Availability").
 * Hot-standby and not load-balancing: one of them gives addresses out, so one pool needs no cutting into halves. Derived purely from the
 * processes of the cell that serve DHCP.
 */
import type { Json, JsonObject } from './dhcp-snippet.ts';

export interface KeaPeer {
  readonly name: string;
  /** Where its hook listens. */
  readonly address: string;
  readonly role: 'primary' | 'standby';
}

export interface KeaPair {
  /** Which of the two this one is. */
  readonly own: string;
  readonly peers: readonly [KeaPeer, KeaPeer];
  /** Files in PEM: both use the same certificate and trust no other. The hook's listener takes every command, and Kea 2.2 asks for no password. */
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** Where the hooks of the two talk, TCP. */
const pairPort = 5247;

/** One that may be of the pair, as all processes read it from the same rows. */
export interface PairCandidate {
  readonly id: string;
  readonly address: string;
  /** Seconds since its last heartbeat. */
  readonly silent: number;
}

/**
 * Seconds. One silent for longer gives its place up when somebody is there to take it. A restart is over by then, and of a Kea that outlived
 * its cell process the guard has made an end (kea-guard.ts).
 */
const gaveUpAfter = 120;

/**
 * The pair among processes that serve DHCP, in the order of their slots: the first two, of more than two those who are not silent for long.
 * `idle`: this one is a third, which serves nothing. Undefined: it serves alone.
 */
export function pairOf(serving: readonly PairCandidate[], ownId: string): readonly [KeaPeer, KeaPeer] | 'idle' | undefined {
  const present = serving.filter(({ silent }) => silent <= gaveUpAfter);
  const chosen = new Set([...present, ...serving.filter(({ silent }) => silent > gaveUpAfter)].slice(0, 2));
  const [first, second] = serving.filter((one) => chosen.has(one));
  if (!first || !second) return undefined;
  if (ownId !== first.id && ownId !== second.id) return 'idle';
  return [
    { name: first.id, address: first.address, role: 'primary' },
    { name: second.id, address: second.address, role: 'standby' },
  ];
}

/** Are two others there to serve, should this one die? */
export function isSpare(serving: readonly PairCandidate[], ownId: string): boolean {
  return serving.filter(({ id, silent }) => id !== ownId && silent <= gaveUpAfter).length >= 2;
}

/**
 * The hook and what it needs of the rest of the configuration. The other one is taken for gone when it has not answered for 3 s: then this one
 * serves everybody. Firmware asks again after 4 s at the latest.
 */
export function pairSettings(pair: KeaPair, hooksFolder: string): { readonly hook: Json; readonly more: JsonObject } {
  return {
    hook: {
      library: `${hooksFolder}/libdhcp_ha.so`,
      parameters: {
        'high-availability': [
          {
            'this-server-name': pair.own,
            mode: 'hot-standby',
            'heartbeat-delay': 1000,
            'max-response-delay': 3000,
            'max-ack-delay': 1000,
            // No count of unanswered clients first: in a quiet rack nobody asks.
            'max-unacked-clients': 0,
            'trust-anchor': pair.certificateFile,
            'cert-file': pair.certificateFile,
            'key-file': pair.keyFile,
            'require-client-certs': true,
            'multi-threading': {
              'enable-multi-threading': true,
              'http-dedicated-listener': true,
              'http-listener-threads': 1,
              'http-client-threads': 1,
            },
            peers: pair.peers.map(({ name, address, role }) => ({
              name,
              url: `https://${address}:${pairPort}/`,
              role,
              'auto-failover': true,
            })),
          },
        ],
      },
    },
    // The hook's own listener wants it.
    more: { 'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 } },
  };
}

/** The other one of the pair. */
export function partnerOf(pair: KeaPair): KeaPeer {
  const [first, second] = pair.peers;
  return first.name === pair.own ? second : first;
}
