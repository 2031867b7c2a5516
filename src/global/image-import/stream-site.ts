/** The site of a boot source: texts and files below its address. Bounded in bytes and time; a redirect leads to no other origin. */
import { Agent, fetch as undiciFetch, type Response } from 'undici';
import { addressOf } from '../simplestreams/stream-address.ts';
import { StreamTrouble } from '../simplestreams/stream-trouble.ts';

export interface StreamSite extends AsyncDisposable {
  /** A text of at most `most` bytes. @throws StreamTrouble */
  text(path: string, signal: AbortSignal): Promise<string>;
  /** A file's bytes from `from` on; `start` says from where they really are (0 where the site knows no ranges). @throws StreamTrouble */
  bytes(path: string, from: number, signal: AbortSignal): Promise<{ readonly start: number; readonly chunks: AsyncIterable<Uint8Array> }>;
}

export interface StreamLimits {
  /** Bytes of an index or a list of products. */
  readonly textBytes: number;
  /** Milliseconds: of a text; without a byte of a file; of a whole file. */
  readonly textMs: number;
  readonly stallMs: number;
  readonly fileMs: number;
}

export const streamLimits: StreamLimits = { textBytes: 32 << 20, textMs: 120_000, stallMs: 60_000, fileMs: 6 * 3_600_000 };

const mostRedirects = 3;

const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it is too slow';
  return error.cause instanceof Error ? error.cause.message : error.message;
};

/** @throws StreamTrouble, except when `signal` is why. */
async function explained<T>(signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof StreamTrouble ? error : new StreamTrouble(`${what}: ${causeOf(error)}`, { cause: error });
  }
}

export function openStreamSite(root: string, limits: StreamLimits = streamLimits): StreamSite {
  const { textBytes, textMs, stallMs, fileMs } = limits;
  const agent = new Agent({ connect: { timeout: 10_000 }, headersTimeout: stallMs, bodyTimeout: stallMs });
  const { origin } = new URL(root);

  async function ask(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    let url = addressOf(root, path);
    for (let hop = 0; hop <= mostRedirects; hop += 1) {
      // Bytes as they are: a digest is of what was stored, and a compressed text could be of any size.
      const asked = { ...headers, 'accept-encoding': 'identity' };
      const reply = await undiciFetch(url, { dispatcher: agent, redirect: 'manual', headers: asked, signal });
      const location = reply.headers.get('location');
      if (reply.status < 300 || reply.status >= 400 || location === null) {
        if (reply.status === 200 || reply.status === 206) return reply;
        await reply.body?.cancel();
        throw new StreamTrouble(`${path}: it answered ${reply.status}`);
      }
      await reply.body?.cancel();
      const next = URL.parse(location, url);
      if (next?.origin !== origin) throw new StreamTrouble(`${path}: it redirects to ${next?.origin ?? 'no address'}`);
      url = next.href;
    }
    throw new StreamTrouble(`${path}: it redirects more than ${mostRedirects} times`);
  }

  return {
    text: (path, signal) =>
      explained(signal, path, async () => {
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(textMs)]);
        const reply = await ask(path, {}, bounded);
        const chunks: Uint8Array[] = [];
        let size = 0;
        for await (const chunk of reply.body ?? []) {
          chunks.push(chunk as Uint8Array);
          size += (chunk as Uint8Array).length;
          if (size > textBytes) throw new StreamTrouble(`${path}: it has more than ${textBytes} bytes`);
        }
        try {
          return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
        } catch {
          throw new StreamTrouble(`${path}: it is no text`);
        }
      }),
    bytes: async (path, from, signal) => {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(fileMs)]);
      const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      const reply = await explained(signal, path, () => ask(path, headers, bounded));
      const isRest = reply.status === 206 && reply.headers.get('content-range')?.startsWith(`bytes ${from}-`) === true;
      if (reply.status === 206 && !isRest) {
        await reply.body?.cancel();
        throw new StreamTrouble(`${path}: it answers with another part than was asked for`);
      }
      async function* chunks(): AsyncIterable<Uint8Array> {
        if (!reply.body) return;
        const rest = reply.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
        try {
          for (;;) {
            const next = await explained(signal, path, () => rest.next());
            if (next.done) return;
            yield next.value;
          }
        } finally {
          await rest.return?.().catch(() => undefined);
        }
      }
      return { start: isRest ? from : 0, chunks: chunks() };
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}
