/** How a front reaches the hub to forward a write: TLS pinned to the hub's key, any of its addresses. */
import { fail } from '../contract/errors.ts';
import type { Membership } from './membership.ts';
import { pinnedFetch } from './pinned-fetch.ts';
import { fingerprintOf } from './signing-key.ts';

export interface HubRequest {
  readonly method: string;
  /** Path and query, as the assertion names them. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly signal?: AbortSignal;
}

export interface HubLine extends AsyncDisposable {
  /** The hub's reply, whatever its status; redirects are never followed. @throws Failure `hub_absent` when no address answers. */
  send(request: HubRequest): Promise<Response>;
}

/** Errors from before anything was sent: another address may be tried, whatever the method. */
const notSent = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

export function openHubLine(membership: Membership): HubLine {
  const pinned = pinnedFetch(fingerprintOf(membership.hubKey));
  const urls = membership.hub.split(',').map((url) => url.trim().replace(/\/+$/, ''));
  let first = 0;
  return {
    send: async ({ method, path, headers, body, signal }) => {
      const init: RequestInit = {
        method,
        headers,
        redirect: 'manual',
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      };
      for (let tried = 0; tried < urls.length; tried += 1) {
        try {
          return await pinned.fetch(urls[first] + path, init);
        } catch (error) {
          if (signal?.aborted === true) throw error;
          const sent = !notSent.has(codeOf(error));
          first = (first + 1) % urls.length;
          // A write that may have arrived is not sent again.
          if (sent && method !== 'GET') break;
        }
      }
      throw fail('hub_absent');
    },
    [Symbol.asyncDispose]: () => pinned[Symbol.asyncDispose](),
  };
}

function codeOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}
