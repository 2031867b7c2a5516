/**
 * The TFTP server: read-only, loaders only. A request names an entry of a table, never a path, so there is nothing to traverse.
 * Effects only: sockets, clocks, counting. What is said is decided in tftp-packet.ts and tftp-transfer.ts.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { encodePacket, parsePacket, tftpError } from './tftp-packet.ts';
import { beginTransfer, bytesSent, defaultLimits, expire, receive, type Step, type TransferLimits } from './tftp-transfer.ts';

/** One request as it was seen, told when it arrives and when it ends. */
export interface TftpRequest {
  readonly phase: 'begin' | 'end';
  readonly address: string;
  readonly file: string;
  readonly outcome: 'started' | 'sent' | 'aborted' | 'timed-out' | 'refused';
  /** Acknowledged bytes of the file. */
  readonly bytes: number;
  readonly ms: number;
  readonly detail?: string;
}

export interface TftpOptions {
  /** Addresses to listen on, IPv4 or IPv6; one socket each. Transfers answer from the same address. */
  readonly addresses: readonly string[];
  /** 69; 0 picks a free one (tests). */
  readonly port: number;
  /** The whole of what can be fetched: name → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly onRequest: (request: TftpRequest) => void;
  readonly limits?: Partial<TransferLimits>;
  /** At most this many transfers in all (default 512) and for one client address (default 8). */
  readonly transfers?: number;
  readonly transfersPerAddress?: number;
}

export interface TftpServer {
  readonly addresses: readonly { address: string; port: number }[];
  /** Ends all transfers and closes all sockets. */
  close(): Promise<void>;
}

/** Strips what firmware puts before a name; the rest is looked up, never opened. */
function nameOf(file: string): string {
  return file.replace(/^(?:\.?\/)+/, '');
}

function bind(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port, address, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

/**
 * Listens on every address, or on none.
 * @throws Error that names the address, the port and, for a port in use, what to do about it.
 */
export async function startTftp(options: TftpOptions): Promise<TftpServer> {
  const most = options.transfers ?? 512;
  const mostPerAddress = options.transfersPerAddress ?? 8;
  const limits: TransferLimits = { ...defaultLimits, ...options.limits };
  const live = new Map<string, () => void>();
  const perAddress = new Map<string, number>();
  const listeners: Socket[] = [];

  const refuse = (socket: Socket, peer: RemoteInfo, code: number, message: string, file: string): void => {
    socket.send(encodePacket({ op: 'error', code, message }), peer.port, peer.address, () => undefined);
    options.onRequest({ phase: 'end', address: peer.address, file, outcome: 'refused', bytes: 0, ms: 0, detail: message });
  };

  const begin = (local: string, peer: RemoteInfo, name: string, bytes: Uint8Array, asked: ReadonlyMap<string, string>): void => {
    const key = `${peer.address} ${peer.port}`;
    if (live.has(key)) return; // the request again, while its first answer is on the way: retransmission takes care of it
    const began = performance.now();
    const socket = createSocket(isIPv6(local) ? 'udp6' : 'udp4');
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    let state = beginTransfer(bytes, asked, { ...limits, largestBlock: Math.min(limits.largestBlock, isIPv6(local) ? 1448 : 65464) });

    const end = (outcome: 'sent' | 'aborted' | 'timed-out', detail?: string): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      live.delete(key);
      const left = (perAddress.get(peer.address) ?? 1) - 1;
      if (left > 0) perAddress.set(peer.address, left);
      else perAddress.delete(peer.address);
      socket.close();
      const request = {
        phase: 'end',
        address: peer.address,
        file: name,
        outcome,
        bytes: bytesSent(state.transfer),
        ms: Math.round(performance.now() - began),
      } as const;
      options.onRequest(detail === undefined ? request : { ...request, detail });
    };
    const act = (step: Step): void => {
      state = step;
      for (const packet of step.send) socket.send(packet, peer.port, peer.address, () => undefined);
      if (step.outcome) {
        // The last word must leave before its socket does.
        if (step.send.length) setImmediate(() => end(step.outcome!, step.reason));
        else end(step.outcome, step.reason);
        return;
      }
      if (!step.send.length) return; // a late copy must not put off the retransmission
      clearTimeout(timer);
      timer = setTimeout(() => act(expire(state.transfer)), step.transfer.timeoutMs);
    };

    live.set(key, () => end('aborted', 'the server is stopping'));
    perAddress.set(peer.address, (perAddress.get(peer.address) ?? 0) + 1);
    socket.on('error', (error) => end('aborted', error.message));
    socket.on('message', (message, from) => {
      if (ended) return;
      if (from.port !== peer.port || from.address !== peer.address) {
        // RFC 1350 §4: tell the stranger, do not disturb the transfer.
        socket.send(
          encodePacket({ op: 'error', code: tftpError.unknownTransfer, message: 'unknown transfer ID' }),
          from.port,
          from.address,
          () => undefined,
        );
        return;
      }
      const parsed = parsePacket(message);
      if ('packet' in parsed) act(receive(state.transfer, parsed.packet));
    });
    bind(socket, 0, local).then(
      () => {
        if (!ended) act(state);
      },
      (error: Error) => end('aborted', error.message),
    );
    options.onRequest({ phase: 'begin', address: peer.address, file: name, outcome: 'started', bytes: 0, ms: 0 });
  };

  const request = (socket: Socket, message: Uint8Array, peer: RemoteInfo): void => {
    if (peer.port === 0) return;
    const parsed = parsePacket(message);
    if ('malformed' in parsed) {
      // Only what claims to be a request is answered, so that two servers can never talk to each other for ever.
      const opcode = message.length >= 2 ? (message[0]! << 8) | message[1]! : 0;
      if (opcode === 1 || opcode === 2) refuse(socket, peer, tftpError.illegalOperation, `malformed: ${parsed.malformed}`, '');
      return;
    }
    const { packet } = parsed;
    if (packet.op === 'write') return refuse(socket, peer, tftpError.accessViolation, 'this server is read-only', packet.file);
    if (packet.op !== 'read') return;
    const name = nameOf(packet.file);
    if (packet.mode !== 'octet') return refuse(socket, peer, tftpError.illegalOperation, 'only mode octet is served', name);
    const bytes = options.files.get(name);
    if (!bytes) return refuse(socket, peer, tftpError.notFound, 'no such loader', name);
    if (live.size >= most || (perAddress.get(peer.address) ?? 0) >= mostPerAddress) {
      return refuse(socket, peer, tftpError.undefined, 'too many transfers at once, try again', name);
    }
    begin(socket.address().address, peer, name, bytes, packet.options);
  };

  const close = async (): Promise<void> => {
    for (const stop of live.values()) stop();
    await Promise.all(listeners.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  };

  for (const address of options.addresses) {
    const socket = createSocket(isIPv6(address) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
    try {
      await bind(socket, options.port, address);
    } catch (error) {
      socket.close();
      await close();
      const code = (error as NodeJS.ErrnoException).code;
      const hint =
        code === 'EADDRINUSE'
          ? ': another TFTP server has it (stop tftpd-hpa, atftpd or dnsmasq there)'
          : code === 'EACCES'
            ? ': ports below 1024 want root or CAP_NET_BIND_SERVICE'
            : '';
      throw new Error(`TFTP cannot listen on ${address} port ${options.port}: ${code ?? (error as Error).message}${hint}`, {
        cause: error,
      });
    }
    socket.on('message', (message, peer) => request(socket, message, peer));
    socket.on('error', () => undefined); // a send to an unreachable client; the client asks again
    listeners.push(socket);
  }
  return { addresses: listeners.map((socket) => socket.address()), close };
}
