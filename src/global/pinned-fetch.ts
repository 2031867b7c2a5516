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

/** The key that the other side must show. */
export interface Pin {
  readonly wanted: () => string;
  fits(fingerprint: string | undefined): boolean;
  /** Somebody with another key answers there: follow to it if that may be. What is wanted is another key then. */
  renew(origin: string): Promise<void>;
}

const fixedPin = (fingerprint: string): Pin => ({
  wanted: () => fingerprint,
  fits: (shown) => shown === fingerprint,
  renew: async () => undefined,
});

/** `given`: SHA-256 of the SPKI, in hex, or a key that may be followed. Plain `http:` addresses are refused. */
export function pinnedFetch(given: string | Pin): PinnedFetch {
  const pin = typeof given === 'string' ? fixedPin(given) : given;
  // Without cached sessions: every connection shows its certificate.
  const connect = buildConnector({ rejectUnauthorized: false, maxCachedSessions: 0, timeout: 5_000 });
  const agent = new Agent({
    connect: (options, callback) => {
      if (options.protocol !== 'https:') return callback(new Error(`${options.protocol}//${options.host}: only https can be pinned`), null);
      connect(options, (error, socket) => {
        if (error) return callback(error, null);
        const shown = fingerprintOfPeer(socket as TLSSocket);
        if (pin.fits(shown)) return callback(null, socket);
        socket.destroy();
        callback(new WrongKey(options.host ?? '', pin.wanted(), shown), null);
      });
    },
    // A long poll waits up to a minute for its headers.
    headersTimeout: 90_000,
    bodyTimeout: 60_000,
    keepAliveTimeout: 10_000,
  });
  const send = async (url: string, init: RequestInit): Promise<Response> =>
    (await undiciFetch(url, { ...(init as UndiciInit), dispatcher: agent })) as unknown as Response;
  return {
    fetch: async (url, init) => {
      const wanted = pin.wanted();
      try {
        return await send(url, init);
      } catch (error) {
        if (!wrongKeyIn(error)) throw error;
        await pin.renew(new URL(url).origin).catch(() => undefined);
        // Nothing was sent to a wrong key, so a second time is the first.
        if (pin.wanted() === wanted) throw error;
        return await send(url, init);
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** A text from whoever answers, for what proves itself. @throws Error when it is larger than `most` bytes, or not there within 10 s. */
export async function unpinnedText(url: string, most: number): Promise<string> {
  if (!url.startsWith('https:')) throw new Error(`${url}: only https is asked`);
  const agent = new Agent({ connect: { rejectUnauthorized: false, timeout: 5_000 }, maxResponseSize: most });
  try {
    const reply = await undiciFetch(url, { dispatcher: agent, redirect: 'error', signal: AbortSignal.timeout(10_000) });
    if (!reply.ok) throw new Error(`${url} answered ${reply.status}`);
    return await reply.text();
  } finally {
    await agent.destroy();
  }
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
