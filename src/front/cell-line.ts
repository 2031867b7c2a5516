/**
 * The lines to the cells: keep-alive pools (one for calls, one for streams, one for probes), a deadline for every answer, a breaker for every cell, a budget for retries, and probes that
 * close a breaker again. What does not answer is {@link Absent}; what it would have answered is unknown, not empty.
 */
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import { Failure } from '../contract/errors.ts';
import { breaker, type Breaker } from './breaker.ts';
import type { CellEntry } from './cell-registry.ts';
import { places, whenOver, type Places } from './places.ts';
import { retryBudget } from './retry-budget.ts';

/** A cell did not answer. `sent`: the request may have reached it. */
export class Absent extends Error {
  override readonly name = 'Absent';
  readonly cell: CellEntry;
  readonly sent: boolean;

  constructor(cell: CellEntry, sent: boolean, why: string, cause?: unknown) {
    super(`cell ${cell.name}: ${why}`, cause === undefined ? {} : { cause });
    this.cell = cell;
    this.sent = sent;
  }
}

export interface Outgoing {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Its reply lasts as long as somebody looks: it must take no connection from calls. */
  readonly stream?: boolean;
}

export interface Waiting {
  /** Until the status line, and with `firstByte` until the body has begun. */
  readonly ms: number;
  readonly firstByte?: boolean;
  /** The caller has gone. */
  readonly signal: AbortSignal;
}

export interface CellReply {
  readonly cell: CellEntry;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Fails when the cell breaks off. Must be read or destroyed. */
  readonly body: Readable;
  /** The call's deadline, as `performance.now()` tells the time. */
  readonly until: number;
}

export interface CellLine extends AsyncDisposable {
  /** @throws Absent, the signal's reason, or Failure `cell_absent` where there are too many streams. */
  send(cell: CellEntry, outgoing: Outgoing, waiting: Waiting): Promise<CellReply>;
  /** Is the breaker closed? */
  usable(cell: CellEntry): boolean;
}

export interface CellLineOptions {
  readonly connections: number;
  /** Streams that are open to one process of a cell at once. */
  readonly streams?: number;
  /** Share of calls that may be retried. */
  readonly retries: number;
  /** The cells to probe while their breakers are open. */
  readonly cells: () => readonly CellEntry[];
  readonly onBreaker: (cell: CellEntry, open: boolean) => void;
  readonly probeMs?: number;
  /** PEM: the only authorities that vouch for cells' HTTPS; undefined: those that Node knows. */
  readonly ca?: string | undefined;
}

interface Line {
  readonly calls: Pool;
  readonly streams: Pool;
  readonly probes: Pool;
  readonly callPlaces: Places;
  readonly streamPlaces: Places;
  readonly breaker: Breaker;
}

/** Errors of a connection that was never made. */
export const unsent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const connectMs = 2_000;
/** A stream's heartbeats come every 15 s. */
const silentMs = 60_000;
/** Pages that are open at one front: each has one stream to every cell, so 50 cells make 12,800 sockets at most. */
const mostStreams = 256;

/** The code of an error, or of what caused it; empty when there is none. */
export function codeOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return '';
}

/** Resolves when the body has a byte, or has ended. */
function begun(body: Readable): Promise<void> {
  if (body.readableLength > 0 || body.readableEnded) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (then: () => void) => () => {
      body.off('readable', onReadable).off('end', onReadable).off('error', onError).off('close', onClose);
      then();
    };
    const onReadable = settle(resolve);
    const onError = (error: unknown) => settle(() => reject(error))();
    const onClose = settle(() => reject(new Error('closed')));
    body.on('readable', onReadable).on('end', onReadable).on('error', onError).on('close', onClose);
  });
}

export function openCellLine(options: CellLineOptions): CellLine {
  const lines = new Map<string, Line>();
  const budget = retryBudget(options.retries);

  const lineTo = (origin: string): Line => {
    const known = lines.get(origin);
    if (known) return known;
    const pool = (connections: number): Pool =>
      new Pool(origin, {
        connections,
        connect: { timeout: connectMs, ...(options.ca === undefined ? {} : { ca: options.ca }) },
        // The deadline is each call's own.
        headersTimeout: 0,
        bodyTimeout: silentMs,
      });
    const { connections, streams = mostStreams } = options;
    const made = {
      calls: pool(connections),
      streams: pool(streams),
      probes: pool(1),
      callPlaces: places(connections),
      streamPlaces: places(streams),
      breaker: breaker(),
    };
    lines.set(origin, made);
    return made;
  };
  const linesOf = (cell: CellEntry): Line[] => originsOf(cell).map(lineTo);
  const usable = (cell: CellEntry): boolean => linesOf(cell).some((line) => !line.breaker.open());
  /** A cell is there when any of its processes is. */
  const settle = (cell: CellEntry, line: Line, good: boolean): void => {
    const before = usable(cell);
    if (good) line.breaker.succeeded();
    else line.breaker.failed();
    if (usable(cell) !== before) options.onBreaker(cell, before);
  };

  /** A connection to send on, and what says that it is free again. */
  const placeFor = async (cell: CellEntry, line: Line, outgoing: Outgoing, signal: AbortSignal) => {
    if (outgoing.stream !== true) return { pool: line.calls, free: await line.callPlaces.take(signal) };
    const free = line.streamPlaces.tryTake();
    if (free) return { pool: line.streams, free };
    const most = options.streams ?? mostStreams;
    throw new Failure('cell_absent', `This front follows cell ${cell.name} for ${most} callers already, and for no more at once.`);
  };

  const attempt = async (cell: CellEntry, line: Line, outgoing: Outgoing, waiting: Waiting): Promise<CellReply> => {
    const over = new AbortController();
    const gone = () => over.abort(waiting.signal.reason);
    if (waiting.signal.aborted) throw waiting.signal.reason;
    waiting.signal.addEventListener('abort', gone, { once: true });
    let late = false;
    let answered = false;
    const expire = (): void => {
      if (answered) return;
      late = true;
      over.abort(new Error('late'));
    };
    // When this process was busy, the answer may be here and only not read yet: look once more before giving up.
    const timer = setTimeout(() => setImmediate(expire), waiting.ms);
    const until = performance.now() + waiting.ms;
    let sentAt: number | undefined;
    let leave = (): void => undefined;
    try {
      const { pool, free } = await placeFor(cell, line, outgoing, over.signal);
      leave = free;
      if (line.breaker.open()) throw new Absent(cell, false, 'did not answer before, and is being probed');
      sentAt = performance.now();
      const { method, path, headers, body } = outgoing;
      const request = { method, path, headers, body: body ?? null, signal: over.signal };
      const reply = await pool.compose(whenOver(free)).request(request);
      // A body that fails while nobody reads it must not end the process; whoever reads sees the error.
      reply.body.on('error', () => undefined);
      if (waiting.firstByte === true) await begun(reply.body);
      reply.body.once('close', () => waiting.signal.removeEventListener('abort', gone));
      settle(cell, line, true);
      return { cell, status: reply.statusCode, headers: keptHeaders(reply.headers), body: reply.body, until };
    } catch (error) {
      leave();
      waiting.signal.removeEventListener('abort', gone);
      if (waiting.signal.aborted) throw waiting.signal.reason;
      if (error instanceof Failure || error instanceof Absent) throw error;
      if (sentAt === undefined) throw new Absent(cell, false, `no free connection within ${waiting.ms} ms`, error);
      // What waited here for most of its time says nothing of the cell.
      const hadTime = performance.now() - sentAt >= waiting.ms / 2;
      if (!late || hadTime) settle(cell, line, false);
      if (late) throw new Absent(cell, true, `no answer within ${waiting.ms} ms`, error);
      throw new Absent(cell, !unsent.has(codeOf(error)), codeOf(error) || String(error), error);
    } finally {
      answered = true;
      clearTimeout(timer);
    }
  };

  const send: CellLine['send'] = async (cell, outgoing, waiting) => {
    const [line, other = line] = linesOf(cell).filter((one) => !one.breaker.open());
    if (line === undefined || other === undefined) throw new Absent(cell, false, 'did not answer before, and is being probed');
    budget.earn();
    const until = performance.now() + waiting.ms;
    try {
      return await attempt(cell, line, outgoing, waiting);
    } catch (error) {
      if (!(error instanceof Absent)) throw error;
      const left = until - performance.now();
      if (left <= 0) throw error;
      const harmless = !error.sent || outgoing.method === 'GET';
      // Another process of the cell that was not asked yet costs nothing; the same one again does.
      const free = other !== line && !error.sent;
      if (!harmless || (!free && left < waiting.ms / 2) || other.breaker.open() || (!free && !budget.spend())) throw error;
      return attempt(cell, other, outgoing, { ...waiting, ms: Math.max(1, left) });
    }
  };

  const probed = new Set<Line>();
  const probe = async (cell: CellEntry, line: Line): Promise<void> => {
    if (!line.breaker.open() || probed.has(line)) return;
    probed.add(line);
    try {
      const reply = await line.probes.request({ method: 'GET', path: '/readyz', signal: AbortSignal.timeout(connectMs) });
      await reply.body.dump();
      if (reply.statusCode === 200) settle(cell, line, true);
    } catch {
      // Still absent: the next probe is a second away.
    } finally {
      probed.delete(line);
    }
  };
  /** A cell that moved, or is not in the registry any more: what is under way ends well, then its connections close. */
  const letGo = (): void => {
    const origins = new Set(options.cells().flatMap(originsOf));
    for (const [origin, line] of lines) {
      if (origins.has(origin)) continue;
      lines.delete(origin);
      for (const pool of poolsOf(line)) void pool.close().catch(() => undefined);
    }
  };
  const look = (): void => {
    letGo();
    void Promise.all(options.cells().flatMap((cell) => linesOf(cell).map((line) => probe(cell, line))));
  };
  const timer = setInterval(look, options.probeMs ?? 1_000);
  timer.unref();

  return {
    send,
    usable,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await Promise.all([...lines.values()].flatMap(poolsOf).map((pool) => pool.destroy()));
    },
  };
}

function poolsOf({ calls, streams, probes }: Line): Pool[] {
  return [calls, streams, probes];
}

/** A cell with several processes has several addresses, with commas between them: each as good as the others. */
function originsOf(cell: CellEntry): string[] {
  return cell.url.split(',').map((url) => new URL(url.trim()).origin);
}

function keptHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter((pair): pair is [string, string | string[]] => pair[1] !== undefined));
}
