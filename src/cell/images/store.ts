/**
 * The cell's image files, by digest: `folder/<sha256>`. Opens them for the boot HTTP server, fetches what is missing from a list of URLs.
 * A file is in the folder under its digest only when its bytes have that digest.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { listBuiltImages, type BuiltImage } from './built-image.ts';

/** Why a fetch failed, one line a URL tried. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}

export interface StoredFile {
  readonly sha256: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes `start` to `end` inclusive; the whole file by default. Ranges beyond the end are the caller's to refuse. */
  stream(start?: number, end?: number): Readable;
}

export interface FetchRequest {
  readonly sha256: string;
  /** Tried in turn. */
  readonly urls: readonly string[];
  /** Bytes; exactly this long when `exact`, never longer. */
  readonly size: number;
  readonly exact?: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: (bytes: number) => void;
}

export interface ImageStore {
  /** Images built on this machine. */
  list(): Promise<BuiltImage[]>;
  /** The file with this digest, undefined when it is not here (or this is no digest). */
  open(sha256: string): Promise<StoredFile | undefined>;
  /** The same, fetched when it is not here. Callers that want one digest at the same time share one fetch. @throws {FetchError} */
  fetch(request: FetchRequest): Promise<StoredFile>;
}

export interface ImageStoreOptions {
  readonly folder: string;
  /** A whole fetch may take this long (default 1 hour), and go without a byte this long (default 30 s). Milliseconds. */
  readonly wholeTime?: number;
  readonly stallTime?: number;
  /** How `hub:` URLs are fetched; left out: there are none. */
  readonly fromHub?: (path: string, init: RequestInit) => Promise<Response>;
}

const digest = /^[0-9a-f]{64}$/;

/** The base URL of the hub's own image files: its key is pinned and each request is signed, which plain `fetch` cannot do. */
export const hubImages = 'hub:/replica/images';

/** Open the store; the folder is created when absent. Half-fetched files of processes that died a day ago are removed. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const { folder, wholeTime = 3_600_000, stallTime = 30_000, fromHub } = options;
  const ways = { wholeTime, stallTime, ...(fromHub ? { fromHub } : {}) };
  const partial = join(folder, '.partial');
  await mkdir(partial, { recursive: true });
  for (const name of await readdir(partial)) {
    const path = join(partial, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > 86_400_000) await rm(path, { force: true });
  }
  const fetching = new Map<string, Promise<StoredFile>>();

  async function open(sha256: string): Promise<StoredFile | undefined> {
    if (!digest.test(sha256)) return undefined;
    const path = join(folder, sha256);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return undefined;
    return {
      sha256,
      path,
      size: found.size,
      stream: (start = 0, end = Infinity) => createReadStream(path, { start, end, highWaterMark: 256 * 1024 }),
    };
  }

  async function fetchNow(request: FetchRequest): Promise<StoredFile> {
    const here = await open(request.sha256);
    if (here) return here;
    const problems: string[] = [];
    for (const url of request.urls) {
      request.signal?.throwIfAborted();
      const path = join(partial, `${request.sha256}.${randomUUID()}`);
      try {
        await download(url, path, request, ways);
        await rename(path, join(folder, request.sha256));
        const stored = await open(request.sha256);
        if (stored) return stored;
      } catch (error) {
        request.signal?.throwIfAborted();
        problems.push(`${withoutSecrets(url)}: ${reasonOf(error)}`);
      } finally {
        await rm(path, { force: true });
      }
    }
    throw new FetchError(`No URL gave the image ${request.sha256}.\n${problems.join('\n') || 'There is no URL to try.'}`);
  }

  return {
    list: () => listBuiltImages(folder),
    open,
    fetch: (request) => {
      if (!digest.test(request.sha256)) return Promise.reject(new FetchError(`«${request.sha256.slice(0, 80)}» is no sha256 digest.`));
      const running = fetching.get(request.sha256);
      // When the one that fetches is aborted by its caller, the next one fetches itself.
      if (running) return running.catch((error: unknown) => (error instanceof FetchError ? Promise.reject(error) : fetchNow(request)));
      const started = fetchNow(request).finally(() => fetching.delete(request.sha256));
      fetching.set(request.sha256, started);
      return started;
    },
  };
}

/** Stream a URL to a new file, checking digest and size on the way. Redirects are followed (the digest, not the host, is trusted). */
async function download(
  url: string,
  path: string,
  request: FetchRequest,
  limits: Required<Pick<ImageStoreOptions, 'wholeTime' | 'stallTime'>> & Pick<ImageStoreOptions, 'fromHub'>,
): Promise<void> {
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(new FetchError(`no byte for ${limits.stallTime / 1000} s`)), limits.stallTime);
  const signal = AbortSignal.any([stalled.signal, AbortSignal.timeout(limits.wholeTime), ...(request.signal ? [request.signal] : [])]);
  try {
    const asked = { signal, headers: { 'accept-encoding': 'identity' } };
    const answer =
      url.startsWith(hubImages) && limits.fromHub ? await limits.fromHub(url.slice('hub:'.length), asked) : await get(url, asked);
    if (answer.status !== 200 || !answer.body) {
      await answer.body?.cancel();
      throw new FetchError(`HTTP status ${answer.status}`);
    }
    const hash = createHash('sha256');
    let bytes = 0;
    const check = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        timer.refresh();
        bytes += chunk.byteLength;
        if (bytes > request.size) return done(new FetchError(`larger than ${request.size} bytes`));
        hash.update(chunk);
        request.progress?.(bytes);
        done(null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(answer.body as ReadableStream<Uint8Array>),
      check,
      createWriteStream(path, { flags: 'wx', flush: true }),
      { signal },
    );
    if (request.exact && bytes !== request.size) throw new FetchError(`${bytes} bytes, not ${request.size}`);
    const found = hash.digest('hex');
    if (found !== request.sha256) throw new FetchError(`the bytes have digest ${found}`);
  } finally {
    clearTimeout(timer);
  }
}

async function get(url: string, init: RequestInit): Promise<Response> {
  if (!/^https?:\/\//.test(url)) throw new FetchError('not an HTTP URL');
  return fetch(url, init);
}

/** URLs may carry a user and password, or a signed query: neither belongs in an error. */
function withoutSecrets(url: string): string {
  if (url.startsWith(hubImages)) return 'the hub';
  try {
    const { origin, pathname } = new URL(url);
    return `${origin}${pathname}`;
  } catch {
    return 'not a URL';
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'took too long';
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
