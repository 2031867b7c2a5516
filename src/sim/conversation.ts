/** A boot's calls to its cell: asked again until answered, as the agent does it (docs/agent-protocol.md), through whatever faults there are. */
import { oauthHeader } from '../http/oauth.ts';
import type { AnsweredCall, FaultState } from './fault.ts';
import type { Pace } from './pace.ts';
import { ask, fetchRest, NoAnswer, startDownload, type WebReply } from './web.ts';

/** A final refusal: a 4xx but 429, or a 500. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(what: string, status: number, text: string) {
    super(`${what}: refused with ${status}: ${text.slice(0, 600).replaceAll('\n', ' ').trim()}`);
    this.status = status;
  }
}

export interface ConversationOptions {
  /** `http://10.40.1.1:5240`; several, with commas between them, are asked in turn while nobody answers. */
  readonly url: string;
  readonly from: string;
  readonly pace: Pace;
  readonly faults: FaultState;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  /** Real milliseconds without an answer until the boot gives up. */
  readonly patienceMs?: number;
}

export interface Call {
  /** Which call it is, for faults; other calls lose nothing. */
  readonly what: AnsweredCall | 'heartbeat' | 'meta-data' | 'status';
  readonly method: 'GET' | 'POST';
  /** Path with query: the cell's own. */
  readonly path: string;
  readonly form?: URLSearchParams | FormData | string;
}

const again = new Set([429, 502, 503, 504]);

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #urls: readonly string[];
  /** Which of them answered last. */
  #at = 0;
  /** `consumer:token:secret`, once there is one. */
  key: string | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#urls = options.url.split(',');
  }

  /** Asks until there is an answer. @throws Refused, NoAnswer when patience ends, or the signal's reason. */
  async call(call: Call): Promise<WebReply> {
    const { path, what } = call;
    return this.#untilAnswered(path, async () => {
      const reply = await this.once(call);
      if (reply.status >= 200 && reply.status < 300) return reply;
      if (again.has(reply.status)) throw new NoAnswer(`${what}: ${reply.status}`);
      throw new Refused(what, reply.status, reply.body.toString('utf8'));
    });
  }

  /** One try. @throws NoAnswer. */
  async once(call: Call): Promise<WebReply> {
    const { from, pace, faults, signal } = this.#options;
    if (faults.dropsRequest()) throw new NoAnswer(`${call.what}: the request was dropped on its way`);
    const { body, type } = await encode(call.form);
    const headers: Record<string, string> = { ...(type === undefined ? {} : { 'content-type': type }), ...this.#authorization() };
    const reply = await this.#ask((base) =>
      pace.run(() => ask({ method: call.method, url: base + call.path, from, headers, signal, ...(body === undefined ? {} : { body }) })),
    );
    const { what } = call;
    if (what !== 'heartbeat' && what !== 'meta-data' && what !== 'status' && faults.losesReply(what))
      throw new NoAnswer(`${what}: the answer ${reply.status} was lost on its way`);
    return reply;
  }

  /** Fetch a whole file, going on where it broke off. @throws Refused, NoAnswer. */
  async download(path: string): Promise<{ readonly sha256: string; readonly bytes: number }> {
    const { from, pace, faults, signal } = this.#options;
    const download = startDownload();
    await this.#untilAnswered(path, async () => {
      if (faults.dropsRequest()) throw new NoAnswer(`${path}: the request was dropped on its way`);
      const before = download.bytes;
      const { status } = await this.#ask((base) => pace.run(() => fetchRest({ url: base + path, from, signal }, download)));
      if (again.has(status) || (before > 0 && status === 200)) throw new NoAnswer(`${path}: ${status}`);
      if (status !== 200 && status !== 206) throw new Refused(path, status, '');
    });
    return { sha256: download.hash.digest('hex'), bytes: download.bytes };
  }

  /** Ask where somebody answered last. When nobody does there, or only to say that it cannot now, the next one is asked next time. */
  async #ask(work: (base: string) => Promise<WebReply>): Promise<WebReply> {
    const at = this.#at;
    const moveOn = (): void => {
      if (this.#at === at) this.#at = (at + 1) % this.#urls.length;
    };
    try {
      const reply = await work(this.#urls[at] ?? '');
      if (again.has(reply.status) && reply.status !== 429) moveOn();
      return reply;
    } catch (error) {
      if (error instanceof NoAnswer) moveOn();
      throw error;
    }
  }

  #authorization(): Record<string, string> {
    return this.key === undefined ? {} : { authorization: oauthHeader(this.key) };
  }

  /** Every address is asked before a pause; pauses grow from 1 s to 30 s. */
  async #untilAnswered<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { pace, signal, say, patienceMs = 1_800_000 } = this.#options;
    const end = Date.now() + patienceMs;
    let left = this.#urls.length;
    for (let pause = 1; ;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NoAnswer) || Date.now() > end) throw error;
        left -= 1;
        if (left > 0) {
          say(`${what}: ${error.message}; now ${this.#urls[this.#at] ?? ''}`);
          continue;
        }
        left = this.#urls.length;
        say(`${what}: ${error.message}; again in ${pause} s`);
        await pace.pause(pause, signal);
        pause = Math.min(30, pause * 2);
      }
    }
  }
}

async function encode(form: Call['form']): Promise<{ body?: Uint8Array; type?: string }> {
  if (form === undefined) return {};
  if (typeof form === 'string') return { body: Buffer.from(form), type: 'application/json' };
  if (form instanceof URLSearchParams) return { body: Buffer.from(form.toString()), type: 'application/x-www-form-urlencoded' };
  // The platform writes multipart bodies (RFC 7578) when asked for the body of a response.
  const encoded = new Response(form);
  return { body: new Uint8Array(await encoded.arrayBuffer()), type: encoded.headers.get('content-type') ?? '' };
}
