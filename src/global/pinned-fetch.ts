/**
 * `fetch` over TLS to whoever holds one Ed25519 key, and to nobody else: the certificate counts for nothing, its key must be the pinned one.
 * Nothing is sent before that is known.
 */
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { Agent, buildConnector, fetch as undiciFetch, type RequestInit as UndiciInit } from 'undici';

export interface PinnedFetch extends AsyncDisposable {
  fetch(url: string, init: RequestInit): Promise<Response>;
}

/** `fingerprint`: SHA-256 of the SPKI, in hex. Plain `http:` addresses are refused. */
export function pinnedFetch(fingerprint: string): PinnedFetch {
  // Without cached sessions: every connection shows its certificate.
  const connect = buildConnector({ rejectUnauthorized: false, maxCachedSessions: 0, timeout: 5_000 });
  const agent = new Agent({
    connect: (options, callback) => {
      if (options.protocol !== 'https:') return callback(new Error(`${options.protocol}//${options.host}: only https can be pinned`), null);
      connect(options, (error, socket) => {
        if (error) return callback(error, null);
        const shown = fingerprintOfPeer(socket as TLSSocket);
        if (shown === fingerprint) return callback(null, socket);
        socket.destroy();
        callback(new WrongKey(options.host ?? '', fingerprint, shown), null);
      });
    },
    // A long poll waits up to a minute for its headers.
    headersTimeout: 90_000,
    bodyTimeout: 60_000,
    keepAliveTimeout: 10_000,
  });
  return {
    fetch: async (url, init) => (await undiciFetch(url, { ...(init as UndiciInit), dispatcher: agent })) as unknown as Response,
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** Somebody else answers at the hub's address. */
export class WrongKey extends Error {
  override readonly name = 'WrongKey';

  constructor(host: string, wanted: string, shown: string | undefined) {
    super(`${host} shows the key ${shown ?? 'of nobody'}, not ${wanted}: it is not the hub that was named, or the hub has a new key.`);
  }
}

/** The WrongKey among an error's causes: the client and fetch wrap it. */
export function wrongKeyIn(error: unknown): WrongKey | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof WrongKey) return at;
  return undefined;
}

function fingerprintOfPeer(socket: TLSSocket): string | undefined {
  const key = socket.getPeerX509Certificate?.()?.publicKey;
  return (
    key &&
    createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest('hex')
  );
}
