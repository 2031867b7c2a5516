/** Fetches a loader as firmware does: TFTP (RFC 1350) with options (RFC 2347), block size (2348) and transfer size (2349). */
import { createHash } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TftpRequest {
  readonly server: { readonly address: string; readonly port: number };
  readonly file: string;
  /** The source address. */
  readonly from: string;
  readonly signal: AbortSignal;
  /** Milliseconds until a packet is sent again, and how often (default 1000, 6). */
  readonly timeoutMs?: number;
  readonly tries?: number;
}

export interface TftpFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** PXE firmware asks for 1456 or 1468: what fits into an Ethernet frame. */
const blockSize = 1456;

export type ServerPacket =
  | { readonly kind: 'data'; readonly block: number; readonly data: Uint8Array }
  | { readonly kind: 'oack'; readonly options: ReadonlyMap<string, string> }
  | { readonly kind: 'error'; readonly code: number; readonly text: string };

/** A datagram from the server; undefined for what a client ignores. Never throws. */
export function readServerPacket(bytes: Uint8Array): ServerPacket | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rest = Buffer.from(bytes.subarray(2)).toString('latin1');
  switch (view.getUint16(0)) {
    case 3:
      return { kind: 'data', block: view.getUint16(2), data: bytes.subarray(4) };
    case 5:
      return { kind: 'error', code: view.getUint16(2), text: rest.slice(2).split('\0', 1)[0] ?? '' };
    case 6: {
      const words = rest.split('\0');
      // Each string ends with a zero, so the last piece is empty.
      if (words.pop() !== '' || words.length % 2 !== 0) return undefined;
      return {
        kind: 'oack',
        options: new Map(
          Array.from({ length: words.length / 2 }, (_, index) => [(words[2 * index] ?? '').toLowerCase(), words[2 * index + 1] ?? '']),
        ),
      };
    }
    default:
      return undefined;
  }
}

function readRequest(file: string): Buffer {
  return Buffer.concat([Buffer.from([0, 1]), Buffer.from(`${[file, 'octet', 'blksize', blockSize, 'tsize', 0].join('\0')}\0`, 'latin1')]);
}

function acknowledge(block: number): Buffer {
  return Buffer.from([0, 4, block >> 8, block & 0xff]);
}

/** The next datagram of the server, or nothing within the time. A stranger's are dropped (RFC 1350 §4). */
async function receive(
  socket: Socket,
  from: string,
  port: number | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<{ packet: ServerPacket; port: number } | undefined> {
  const ended = new AbortController();
  const arrived = new Promise<{ packet: ServerPacket; port: number }>((done) => {
    const listen = (bytes: Buffer, who: RemoteInfo): void => {
      const packet = who.address === from && (port === undefined || who.port === port) ? readServerPacket(bytes) : undefined;
      if (packet) done({ packet, port: who.port });
    };
    socket.on('message', listen);
    ended.signal.addEventListener('abort', () => socket.off('message', listen), { once: true });
  });
  try {
    const late = sleep(timeoutMs, undefined, { signal: AbortSignal.any([signal, ended.signal]) }).catch(() => undefined);
    return await Promise.race([arrived, late]);
  } finally {
    ended.abort();
  }
}

/** Fetch a file; its bytes are counted and hashed. @throws Error when the server refuses or falls silent. */
export async function fetchByTftp(request: TftpRequest): Promise<TftpFile> {
  const { server, file, from, signal, timeoutMs = 1000, tries = 6 } = request;
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((done, failed) => {
      socket.once('error', failed);
      socket.bind(0, from, done);
    });
    const hash = createHash('sha256');
    let bytes = 0;
    let block = 0;
    let size = 512;
    let port: number | undefined;
    let out = readRequest(file);
    // A packet that came twice is not answered twice (RFC 1123 §4.2.3.1).
    let answerDue = true;
    for (let left = tries; ;) {
      signal.throwIfAborted();
      if (answerDue) socket.send(out, port ?? server.port, server.address);
      const got = await receive(socket, server.address, port, timeoutMs, signal);
      if (got === undefined) {
        left -= 1;
        answerDue = true;
        if (left <= 0) throw new Error(`TFTP ${file}: no answer from ${server.address}`);
        continue;
      }
      port = got.port;
      left = tries;
      const { packet } = got;
      answerDue = packet.kind !== 'data' || packet.block === ((block + 1) & 0xffff);
      if (packet.kind === 'error') throw new Error(`TFTP ${file}: error ${packet.code}: ${packet.text}`);
      if (packet.kind === 'oack') {
        size = Number(packet.options.get('blksize') ?? 512);
        out = acknowledge(0);
      } else if (answerDue) {
        block += 1;
        bytes += packet.data.length;
        hash.update(packet.data);
        out = acknowledge(block);
        if (packet.data.length < size) {
          socket.send(out, port, server.address);
          return { bytes, sha256: hash.digest('hex') };
        }
      }
    }
  } finally {
    socket.close();
  }
}
