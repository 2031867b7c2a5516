/**
 * Makes the kernel ask for each address of a range: an empty datagram to the discard port (RFC 863) cannot leave before ARP has answered, and
 * the answer is in the table of neighbours, whatever the host does with the datagram.
 */
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv4, parseIpv4, parseSubnet } from '../../contract/ipv4.ts';

export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** Where this process is: `10.40.1.1/24`. */
export interface OwnAddress {
  readonly address: string;
}

const discard = 9;
/** The kernel asks three times, a second apart; so long an address counts as one of those asked at once. */
const answerMs = 250;

/** What of the ranges is on a network of ours, without our own addresses. Pure. */
export function reachableAddresses(ranges: readonly AddressRange[], own: readonly OwnAddress[]): number[] {
  const places = own.flatMap(({ address }) => {
    const at = parseIpv4(address.split('/')[0] ?? '');
    const net = networkAround(address);
    return at === undefined || !net ? [] : [{ ...net, at }];
  });
  const found = new Set<number>();
  for (const { first, last } of ranges) {
    for (const place of places) {
      const [from, to] = [Math.max(Number(first), place.first + 1), Math.min(Number(last), place.last - 1)];
      for (let value = from; value <= to; value += 1) if (value !== place.at) found.add(value);
    }
  }
  return [...found].toSorted((a, b) => a - b);
}

/** The network of an interface's own address. */
function networkAround(address: string): { readonly first: number; readonly last: number } | undefined {
  const [ip = '', length = '32'] = address.split('/');
  const at = parseIpv4(ip);
  if (at === undefined || !/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const size = 2 ** (32 - Number(length));
  return parseSubnet(`${formatIpv4(Math.floor(at / size) * size)}/${length}`);
}

function send(socket: Socket, address: string): Promise<void> {
  // A host that is not there is no error of ours: the kernel tells of it late or never.
  return new Promise((resolve) => socket.send(Buffer.alloc(0), discard, address, () => resolve()));
}

/** Ask for each address once, so many at once. Resolves when the last was asked and had time to answer. */
export async function askForAddresses(addresses: readonly number[], atOnce: number, signal: AbortSignal): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  try {
    for (let at = 0; at < addresses.length && !signal.aborted; at += atOnce) {
      await Promise.all(addresses.slice(at, at + atOnce).map((address) => send(socket, formatIpv4(address))));
      await sleep(answerMs, undefined, { signal }).catch(() => undefined);
    }
    await sleep(1_000, undefined, { signal }).catch(() => undefined);
  } finally {
    socket.close();
  }
}
