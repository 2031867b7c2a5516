/** The line to the hub: TLS pinned to its key, any of its addresses. What fails before the hub answers is `hub_absent`. */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fail } from '../contract/errors.ts';
import { pinnedFetch, type Pin } from '../global/pinned-fetch.ts';
import { codeOf, unsent, type Outgoing } from './cell-line.ts';

export interface HubReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Readable | undefined;
}

export interface HubLine extends AsyncDisposable {
  /** @throws Failure `hub_absent`, or the signal's reason. */
  send(outgoing: Outgoing, signal: AbortSignal): Promise<HubReply>;
}

/** `urls`: the hub's processes; `pin`: its key. */
export function openHubLine(urls: readonly string[], pin: Pin, ms: number, onTrouble: (error: unknown) => void): HubLine {
  const pinned = pinnedFetch(pin);
  let good = 0;

  const attempt = async (url: string, { method, path, headers, body }: Outgoing, signal: AbortSignal): Promise<HubReply> => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    const init: RequestInit = { method, headers, redirect: 'manual', signal: deadline };
    if (body !== undefined) init.body = new Uint8Array(body);
    const reply = await pinned.fetch(url.replace(/\/+$/, '') + path, init);
    const cookies = reply.headers.getSetCookie();
    const kept = Object.fromEntries(reply.headers) as Record<string, string | string[]>;
    if (cookies.length > 0) kept['set-cookie'] = cookies;
    // fetch has undone these.
    delete kept['content-encoding'];
    delete kept['content-length'];
    return { status: reply.status, headers: kept, body: reply.body === null ? undefined : Readable.fromWeb(reply.body as ReadableStream) };
  };

  return {
    send: async (outgoing, signal) => {
      // Another process is tried only where nothing can be done twice: a read, or a connection that was never made.
      for (let tried = 0; tried < urls.length; tried += 1) {
        const at = (good + tried) % urls.length;
        try {
          const reply = await attempt(urls[at]!, outgoing, signal);
          good = at;
          return reply;
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          onTrouble(error);
          if (outgoing.method !== 'GET' && !unsent.has(codeOf(error))) break;
        }
      }
      throw fail('hub_absent');
    },
    [Symbol.asyncDispose]: () => pinned[Symbol.asyncDispose](),
  };
}
