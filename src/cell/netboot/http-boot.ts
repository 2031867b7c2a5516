/**
 * The boot files over HTTP: what DHCP's loader asks for, and the only place where a machine's state meets its boot.
 *
 * `netboot` is the room of network boot. DHCP and TFTP say nothing that depends on a machine; `/boot/script.ipxe` is computed from the
 * row at that moment, and serving it changes nothing. The room never writes state, never reads a table: it asks through the doors below,
 * which `cell.ts` fills, and tells the boot log what it answered. Nothing here needs a credential, so nothing here is worth one.
 */
import { Readable } from 'node:stream';
import type { BootAnswer, BootFacts } from '../../contract/boot.ts';
import { bootAsker, type BootAsker } from './boot-asker.ts';
import { byteRange } from './byte-range.ts';
import { mostTries, renderEnvironment, renderLocal, renderOff, renderRetry, startScript, type BootFile } from './ipxe.ts';
import type { KernelParameter } from './kernel-parameters.ts';
import type { Loaders } from './loaders.ts';
import { resolveBoot } from './resolve.ts';

/** What the cell knows at this moment about who asks. */
export interface BootFound {
  readonly facts: BootFacts;
  readonly systemId?: string;
  /** The live ticket's nonce, 32 hexadecimal digits. */
  readonly nonce?: string;
  /** The ephemeral environment for the asker's architecture; absent while the cell does not have it yet. */
  readonly environment?: { readonly kernel: BootFile; readonly initrd: BootFile };
  /** Further kernel parameters (consoles, the operator's kernel options). */
  readonly parameters?: readonly KernelParameter[];
}

export interface StoredFile {
  readonly size: number;
  /** Bytes `first` to `last`, both included. */
  read(first: number, last: number): Readable;
}

export interface BootLogEntry {
  readonly protocol: 'http' | 'tftp';
  readonly address: string;
  readonly mac?: string;
  readonly systemId?: string;
  /** The file or path asked for, without its query. */
  readonly path: string;
  /** `environment deploy`, `local`, `off`, `enlist`, `retry`, `file`, `sent`, `aborted`, `404`, … and why. */
  readonly answer: string;
  readonly because?: string;
}

export interface BootDoors {
  findBoot(asker: BootAsker): Promise<BootFound>;
  /**
   * What was known of the asker shortly before, when the facts cannot be read; undefined: nothing. Good enough for a boot: an environment
   * that it starts gets no claim while the database is away.
   */
  lastKnown?(asker: BootAsker): BootFound | undefined;
  openFile(sha256: string): Promise<StoredFile | undefined>;
  log(entry: BootLogEntry): void;
}

export interface HttpBootOptions {
  readonly doors: BootDoors;
  readonly loaders: Loaders;
  /** `http://10.40.1.1:5240`: where the agent will call. All service addresses; this process' own comes first. */
  readonly serviceUrls: readonly string[];
  /** How long the facts may take; architecture §6.2 says 500 ms. */
  readonly factsWithinMs?: number;
}

export interface BootHttpRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly address: string;
}

export interface BootHttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent for HEAD and 304. */
  readonly body?: Buffer | (() => Readable);
}

export type BootHandler = (request: BootHttpRequest) => Promise<BootHttpReply>;

interface Decision {
  readonly text: string;
  readonly answer: string;
  readonly because: string;
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no facts within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** A machine that the cell cannot speak for asks again for a minute, then boots its own disk. */
function notNow(asker: BootAsker, because: string, others: readonly string[]): Decision {
  return asker.tries >= mostTries
    ? { text: renderLocal(asker.firmware, others), answer: 'local', because: `${because}; asked ${asker.tries} times` }
    : { text: renderRetry(others), answer: 'retry', because };
}

function label(answer: BootAnswer): string {
  return 'purpose' in answer ? `${answer.boot} ${answer.purpose}` : answer.boot;
}

/** The answer as a script; pure. An environment that cannot be named completely and safely is `retry`, never half a boot. */
export function decideBoot(asker: BootAsker, found: BootFound, serviceUrls: readonly string[]): Decision {
  const others = serviceUrls.slice(1);
  const { answer, because } = resolveBoot(found.facts);
  if (answer.boot === 'local') return { text: renderLocal(asker.firmware, others), answer: label(answer), because };
  if (answer.boot === 'off') return { text: renderOff(asker.firmware, others), answer: label(answer), because };
  const purpose = answer.boot === 'enlist' ? 'enlist' : answer.purpose;
  if (!found.environment) return notNow(asker, `${because}: the cell has no ${asker.architecture} environment yet`, others);
  if (purpose !== 'enlist' && !/^[0-9a-f]{32}$/.test(found.nonce ?? ''))
    return notNow(asker, `${because}: no nonce for ${purpose}`, others);
  try {
    const parameters: KernelParameter[] = [
      ['muster_url', serviceUrls.join(',')],
      ['muster_purpose', purpose],
      ...(purpose === 'enlist' || found.nonce === undefined ? [] : [['muster_nonce', found.nonce] as const]),
      ...(asker.mac === undefined ? [] : [['BOOTIF', `01-${asker.mac.replaceAll(':', '-')}`] as const]),
      ...(found.parameters ?? []),
    ];
    return { text: renderEnvironment({ ...found.environment, parameters }, others), answer: label(answer), because };
  } catch (error) {
    return notNow(asker, `${because}: ${(error as Error).message}`, others);
  }
}

function text(status: number, body: string, head: boolean, headers: Record<string, string> = {}): BootHttpReply {
  const bytes = Buffer.from(body);
  const all = {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(bytes.length),
    'cache-control': 'no-store',
    ...headers,
  };
  return head ? { status, headers: all } : { status, headers: all, body: bytes };
}

function header(request: BootHttpRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A file by its digest: immutable, so its digest is its ETag. */
function file(request: BootHttpRequest, sha256: string, stored: StoredFile): BootHttpReply {
  const head = request.method === 'HEAD';
  const etag = `"${sha256}"`;
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
    'cache-control': 'public, max-age=31536000, immutable',
  };
  if ((header(request, 'if-none-match') ?? '').split(',').some((tag) => tag.trim() === etag)) return { status: 304, headers };
  const ifRange = header(request, 'if-range');
  const range = head || (ifRange !== undefined && ifRange !== etag) ? 'whole' : byteRange(header(request, 'range'), stored.size);
  if (range === 'unsatisfiable')
    return text(416, 'The range lies behind the end of the file.\n', head, { 'content-range': `bytes */${stored.size}` });
  const { first, last } = range === 'whole' ? { first: 0, last: stored.size - 1 } : range;
  const all: Record<string, string> = { ...headers, 'content-length': String(last - first + 1) };
  if (range !== 'whole') all['content-range'] = `bytes ${first}-${last}/${stored.size}`;
  const status = range === 'whole' ? 200 : 206;
  if (head) return { status, headers: all };
  return { status, headers: all, body: stored.size === 0 ? Buffer.alloc(0) : () => stored.read(first, last) };
}

/** Handles everything below `/boot/`. Never rejects: what goes wrong is an answer that the firmware can act on, and a log entry. */
export function createBootHandler(options: HttpBootOptions): BootHandler {
  const { doors, loaders } = options;

  async function bootScript(request: BootHttpRequest, query: URLSearchParams): Promise<BootHttpReply> {
    const asker = bootAsker(query, request.address);
    let found: BootFound | undefined;
    let decision: Decision;
    try {
      found = await within(doors.findBoot(asker), options.factsWithinMs ?? 500);
      decision = decideBoot(asker, found, options.serviceUrls);
    } catch (error) {
      const because = `the facts could not be read: ${(error as Error).message}`;
      found = doors.lastKnown?.(asker);
      const last = found && decideBoot(asker, found, options.serviceUrls);
      decision = last
        ? { ...last, because: `${last.because}, as last known: ${because}` }
        : notNow(asker, because, options.serviceUrls.slice(1));
    }
    doors.log({
      protocol: 'http',
      address: request.address,
      ...(asker.mac === undefined ? {} : { mac: asker.mac }),
      ...(found?.systemId === undefined ? {} : { systemId: found.systemId }),
      path: '/boot/script.ipxe',
      answer: decision.answer,
      because: decision.because,
    });
    return text(200, decision.text, request.method === 'HEAD');
  }

  async function answer(request: BootHttpRequest, path: string): Promise<BootHttpReply | undefined> {
    if (path === '/boot/start.ipxe') return text(200, startScript(options.serviceUrls.slice(1)), request.method === 'HEAD');
    const loader = /^\/boot\/loader\/([A-Za-z0-9._-]{1,64})$/.exec(path);
    if (loader) {
      const found = loaders.get(loader[1]!);
      if (!found) return undefined;
      const reply = file(request, found.sha256, {
        size: found.bytes.length,
        read: (first, last) => Readable.from([found.bytes.subarray(first, last + 1)]),
      });
      // A package upgrade replaces a loader under the same name: revalidate.
      return { ...reply, headers: { ...reply.headers, 'cache-control': 'no-cache' } };
    }
    const named = /^\/boot\/file\/([0-9a-f]{64})\/[A-Za-z0-9._-]{1,64}$/.exec(path);
    const stored = named && (await doors.openFile(named[1]!));
    return stored ? file(request, named[1]!, stored) : undefined;
  }

  return async (request) => {
    const head = request.method === 'HEAD';
    if (!head && request.method !== 'GET') return text(405, 'Only GET and HEAD.\n', false, { allow: 'GET, HEAD' });
    const [path = '', query = ''] = request.url.split('?', 2);
    if (path === '/boot/script.ipxe') return bootScript(request, new URLSearchParams(query));
    let reply: BootHttpReply;
    let because: string | undefined;
    try {
      reply = (await answer(request, path)) ?? text(404, 'No such boot file.\n', head);
    } catch (error) {
      because = (error as Error).message;
      reply = text(503, 'The boot file cannot be read right now.\n', head, { 'retry-after': '5' });
    }
    const shown = /^[\x21-\x7e]{1,200}$/.test(path) ? path : '(unprintable)';
    doors.log({
      protocol: 'http',
      address: request.address,
      path: shown,
      answer: reply.status < 400 ? 'file' : String(reply.status),
      ...(because === undefined ? {} : { because }),
    });
    return reply;
  };
}
