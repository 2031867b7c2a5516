/**
 * A client as a good one is: it asks the next front when one does not answer, comes back when it is told to, and repeats only what cannot be
 * done twice. Every single request goes into the history.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import type { Asked, History } from './chaos-history.ts';

/** Where requests go, and what each depends on. */
export interface Door {
  /** `f1`; a cell that is called directly: `c1`. */
  readonly name: string;
  readonly url: string;
}

export interface Credential {
  readonly key?: string;
  readonly session?: string;
}

/** Parts and links that a request through `via` to these parts needs. */
export function needsOf(via: string, parts: readonly string[] = []): string[] {
  const beyond = parts.filter((part) => part !== via);
  return [via, `client>${via}`, `${via}>client`, ...beyond.flatMap((part) => [part, `${via}>${part}`, `${part}>${via}`])];
}

/** A request may have been done and nobody knows; asking again could do it twice. */
export class UnknownOutcome extends Error {
  override readonly name = 'UnknownOutcome';
}

export interface Request<T> {
  readonly what: string;
  /** Besides the door itself. */
  readonly parts: readonly string[];
  /** Whether it may be repeated after an unknown outcome. */
  readonly repeatable: boolean;
  readonly send: (client: Client) => Promise<T>;
}

/** Retry-After is for people and big fleets; this one's outages last seconds. */
const longestPauseMs = 1_000;
/** Connections that were never made. */
const unsent = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT/;
const answerWithinMs = 40_000;

function whyNoAnswer(error: ApiError): string {
  let at: unknown = error;
  while (at instanceof Error) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    at = at.cause;
  }
  return 'no answer';
}

export class ChaosClient {
  readonly #who: string;
  readonly #doors: readonly Door[];
  readonly #clients: readonly Client[];
  readonly #history: History;
  #at: number;

  constructor(who: string, doors: readonly Door[], credential: Credential, history: History, first = 0) {
    this.#who = who;
    this.#doors = doors;
    this.#clients = doors.map(({ url }) => createClient({ url, ...credential }));
    this.#history = history;
    this.#at = first % doors.length;
  }

  /** One request at one door, written down. @throws ApiError, and whatever else `send` throws. */
  async once<T>({ what, parts, send }: Omit<Request<T>, 'repeatable'>, door = this.#at): Promise<T> {
    const { name: via } = this.#doors[door]!;
    const at = Date.now();
    const note = (answer: Pick<Asked, 'status' | 'code' | 'retryAfter'>): void =>
      void this.#history.asked.push({ at, until: Date.now(), who: this.#who, what, via, needs: needsOf(via, parts), ...answer });
    try {
      const reply = await send(this.#clients[door]!);
      note({ status: 200, code: '', retryAfter: undefined });
      return reply;
    } catch (error) {
      if (error instanceof ApiError) {
        note({ status: error.status, code: error.status === 0 ? whyNoAnswer(error) : (error.code ?? ''), retryAfter: error.retryAfter });
      } else note({ status: 0, code: `broke off: ${String(error).slice(0, 60)}`, retryAfter: undefined });
      throw error;
    }
  }

  /** The request until it is answered for good. @throws ApiError that repeating does not help, UnknownOutcome, Error after `withinMs`. */
  async ask<T>(request: Request<T>, withinMs = 90_000): Promise<T> {
    for (const end = Date.now() + withinMs; ;) {
      try {
        return await this.once(request);
      } catch (error) {
        if (Date.now() > end) throw new Error(`${request.what}: not within ${withinMs / 1000} s`, { cause: error });
        await this.#recover(request, error);
      }
    }
  }

  async #recover<T>(request: Request<T>, error: unknown): Promise<void> {
    const { status, retryAfter } = error instanceof ApiError ? error : { status: 0, retryAfter: undefined };
    if (status === 0) {
      // The next one, at once.
      this.#at = (this.#at + 1) % this.#doors.length;
      const neverSent = error instanceof ApiError && unsent.test(whyNoAnswer(error));
      if (!neverSent && !request.repeatable) throw new UnknownOutcome(request.what, { cause: error });
      return void (await sleep(50));
    }
    if (status === 504 && !request.repeatable) throw new UnknownOutcome(request.what, { cause: error });
    if (status === 503 || status === 504 || retryAfter !== undefined) {
      return void (await sleep(Math.min((retryAfter ?? 1) * 1000, longestPauseMs) * (0.5 + Math.random() / 2)));
    }
    throw error;
  }

  get doors(): readonly Door[] {
    return this.#doors;
  }
}

/** For every call: nothing waits for ever. */
export function withinReason(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(answerWithinMs) };
}
