/** HTTP as a machine speaks it: from its own address, one connection a request, bodies counted and hashed without keeping them. */
import { createHash, type Hash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';

export interface WebRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  /** The source address. */
  readonly from: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface WebReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** No whole answer: refused, broken off, or silent for too long. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** The agent's own limits are 10 s to connect and 60 s of silence. */
const silenceMs = 60_000;
/** Nothing that a machine keeps is as long. */
const longestBody = 64 * 1024 * 1024;

function open(given: WebRequest): Promise<IncomingMessage> {
  return new Promise((done, failed) => {
    const { method, url, from, headers = {}, body, signal } = given;
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    const request = httpRequest(url, {
      method,
      localAddress: from,
      agent: false,
      headers: { 'user-agent': 'muster-sim', ...headers, ...length },
      signal,
    });
    request.setTimeout(silenceMs, () => request.destroy(new Error(`no byte for ${silenceMs / 1000} s`)));
    request.once('response', done);
    request.once('error', failed);
    request.end(body);
  });
}

async function answer(given: WebRequest, take: (reply: IncomingMessage) => Promise<WebReply>): Promise<WebReply> {
  given.signal.throwIfAborted();
  try {
    return await take(await open(given));
  } catch (error) {
    given.signal.throwIfAborted();
    throw new NoAnswer(`${given.method} ${new URL(given.url).pathname}: ${(error as Error).message}`, { cause: error });
  }
}

/** Ask, and keep the whole body. @throws NoAnswer, or the signal's reason. */
export function ask(given: WebRequest): Promise<WebReply> {
  return answer(given, async (reply) => {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of reply as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > longestBody) throw new Error(`more than ${longestBody} bytes`);
      parts.push(part);
    }
    return { status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(parts) };
  });
}

/** How far a download has come; a broken one goes on from there. */
export interface Download {
  bytes: number;
  readonly hash: Hash;
}

export function startDownload(): Download {
  return { bytes: 0, hash: createHash('sha256') };
}

/**
 * Fetch what is left of a file: the body goes through the hash and is forgotten.
 * @throws NoAnswer when it breaks off; call again to go on.
 */
export function fetchRest(given: Omit<WebRequest, 'method' | 'body'>, download: Download): Promise<WebReply> {
  const headers = download.bytes === 0 ? given.headers : { ...given.headers, range: `bytes=${download.bytes}-` };
  return answer({ ...given, method: 'GET', ...(headers === undefined ? {} : { headers }) }, async (reply) => {
    const status = reply.statusCode ?? 0;
    const wanted = download.bytes === 0 ? status === 200 || status === 206 : status === 206;
    for await (const part of reply as AsyncIterable<Buffer>) {
      if (!wanted) continue;
      download.bytes += part.length;
      download.hash.update(part);
    }
    return { status, headers: reply.headers, body: Buffer.alloc(0) };
  });
}
