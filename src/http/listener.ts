/** The sockets of a server: limits against slow and oversized requests, and an orderly end. */
import { createServer as createPlain } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { Server as SecureServer, ServerOptions as SecureOptions } from 'node:https';
import { Server as NetServer, type AddressInfo } from 'node:net';

export interface ListenerLimits {
  /** Bytes of request line and headers. Gathers name thousands of ids in the query. */
  readonly headerBytes: number;
  /** Milliseconds until the headers, and until the whole request, must be there. */
  readonly headersMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
}

export const listenerLimits: ListenerLimits = { headerBytes: 65_536, headersMs: 10_000, requestMs: 300_000, keepAliveMs: 75_000 };

/** Where to listen; port 0 takes a free one. With `tls`, HTTPS. */
export type Listen = ({ readonly host: string; readonly port: number } | { readonly socket: string }) & {
  readonly tls?: Pick<SecureOptions, 'key' | 'cert' | 'ca' | 'requestCert' | 'rejectUnauthorized'>;
};

export interface Listener {
  /** `http://127.0.0.1:5240`, or the path of a Unix socket. */
  readonly url: string;
  readonly port: number;
  /** Show another key and certificate to connections that come from now on. For listeners with TLS. */
  setTls(tls: NonNullable<Listen['tls']>): void;
  /** Take no more connections; idle ones are closed. Resolves when the last has gone. */
  close(): Promise<void>;
  /** Break off whatever is left. */
  destroy(): void;
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Ms after closing began in which a request on a kept-alive connection is still answered. */
const lastRequestsMs = 250;

const listenAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Something else listens there: stop it, or choose another port.',
  EADDRNOTAVAIL: 'This machine has no such address: choose one of its own.',
  EACCES: 'It is not permitted: choose a port of 1024 or above, or run with the right to take it.',
};

/** The system's error, with its code and words of what to do. */
function explainListen(error: NodeJS.ErrnoException, where: Listen): Error {
  const place = 'socket' in where ? where.socket : `${where.host} port ${where.port}`;
  const advice = listenAdvice[error.code ?? ''];
  return Object.assign(
    new Error(`Cannot listen on ${place} (${error.code ?? error.message}).${advice === undefined ? '' : ` ${advice}`}`, { cause: error }),
    { code: error.code },
  );
}

/** Open a listener. @throws Error with the system's code (`EADDRINUSE`, …), naming the place and what to do. */
export async function openListener(
  where: Listen,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  limits: ListenerLimits,
): Promise<Listener> {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(2000, limits.headersMs),
  };
  const server: Server = where.tls === undefined ? createPlain(options, serve) : createSecure({ ...options, ...where.tls }, serve);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const status = clientErrors[error.code ?? ''] ?? '400 Bad Request';
    socket.end(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${status.length - 4}\r\n\r\n${status.slice(4)}`,
    );
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(explainListen(error, where));
    server.once('error', failed);
    server.listen('socket' in where ? { path: where.socket } : { host: where.host, port: where.port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  const address = server.address() as AddressInfo | string;
  const scheme = where.tls === undefined ? 'http' : 'https';
  return {
    url:
      typeof address === 'string'
        ? address
        : `${scheme}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    port: typeof address === 'string' ? 0 : address.port,
    setTls: (tls) => {
      if ('setSecureContext' in server) (server as SecureServer).setSecureContext(tls);
    },
    close: () =>
      new Promise((resolve) => {
        // Not http's own `close`: that ends idle connections at once, also one that a request is on its way to, which would then be cut off
        // unread (RFC 9112 §9.5). For a moment they are answered, with `Connection: close`.
        NetServer.prototype.close.call(server, () => {
          clearTimeout(later);
          clearInterval(idle);
          // Nothing is left to close but http's own timer.
          server.close();
          resolve();
        });
        let idle: NodeJS.Timeout | undefined;
        const later = setTimeout(() => {
          server.closeIdleConnections();
          // One that was busy until now falls idle later, and would wait for its time-out.
          idle = setInterval(() => server.closeIdleConnections(), 50);
        }, lastRequestsMs);
      }),
    destroy: () => server.closeAllConnections(),
  };
}
