// HTTP to one Redfish BMC: credentials that never leave its origin, bounded bodies, statuses sorted into failures.
import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import { PowerFailure, setting } from './driver.ts';
import type { CallLimits, PowerTarget } from './driver.ts';
import { parseBmcAddress } from './bmc-address.ts';

// A ComputerSystem is 5–60 kB on the BMCs whose mock-ups DMTF publishes; 1 MiB is far from both.
const LARGEST_BODY = 1 << 20;
const MOST_REDIRECTS = 3;

export interface RedfishReply {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: unknown;
}

type Call = { method: 'GET' | 'POST' | 'PATCH'; path: string; body?: unknown; ifMatch?: string };

/** The origin of a `power_address`: https unless it says http, as MAAS has it. Throws `wrong-settings`. */
export function redfishOrigin(address: string): URL {
  const [, scheme = 'https', rest = ''] = /^(?:(https?):\/\/)?(.*?)\/*$/i.exec(address) ?? [];
  const { host, port } = parseBmcAddress(rest);
  const name = host.includes(':') ? `[${host}]` : host;
  try {
    return new URL(`${scheme.toLowerCase()}://${name}${port === undefined ? '' : `:${port}`}`);
  } catch {
    throw new PowerFailure('wrong-settings', `'${address}' is not an address.`);
  }
}

/** One conversation with a BMC; closed when the driver's call ends. */
export class RedfishClient {
  readonly #origin: URL;
  readonly #authorization: string;
  readonly #agent: Agent;
  readonly #signal: AbortSignal;

  constructor(target: PowerTarget, limits: CallLimits) {
    this.#origin = redfishOrigin(setting(target, 'power_address'));
    const userAndPassword = `${setting(target, 'power_user')}:${setting(target, 'power_pass')}`;
    this.#authorization = `Basic ${Buffer.from(userAndPassword).toString('base64')}`;
    this.#signal = AbortSignal.any([limits.signal, AbortSignal.timeout(limits.timeoutMs)]);
    this.#agent = new Agent({
      connect: { rejectUnauthorized: setting(target, 'power_verify_ssl') !== 'n', timeout: limits.timeoutMs },
      headersTimeout: limits.timeoutMs,
      bodyTimeout: limits.timeoutMs,
      pipelining: 0,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  /** Reads a resource. Throws {@link PowerFailure} unless the status is 2xx and the body an object. */
  async get(path: string): Promise<RedfishReply & { body: Record<string, unknown> }> {
    const reply = await this.#send({ method: 'GET', path });
    failUnlessOk(reply, path, false);
    if (!isRecord(reply.body)) throw new PowerFailure('wrong-settings', `${path} is not Redfish: the answer is not a JSON object.`);
    return { ...reply, body: reply.body };
  }

  /** Orders something: a lost or broken answer is an unknown outcome. */
  async post(path: string, body: unknown): Promise<void> {
    failUnlessOk(await this.#send({ method: 'POST', path, body }), path, true);
  }

  /** Changes a resource; `ifMatch` is its entity tag (RFC 9110 section 13.1.1). Returns the status for 412 and 428, which the caller resolves. */
  async patch(path: string, body: unknown, ifMatch: string | undefined): Promise<number> {
    const reply = await this.#send({ method: 'PATCH', path, body, ...(ifMatch === undefined ? {} : { ifMatch }) });
    if (reply.status !== 412 && reply.status !== 428) failUnlessOk(reply, path, false);
    return reply.status;
  }

  async #send(call: Call): Promise<RedfishReply> {
    let path = call.path;
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const url = this.#within(path);
      const reply = await this.#once(url, call);
      if (reply.location === undefined) return reply;
      path = new URL(reply.location, url).href;
    }
    throw new PowerFailure('wrong-settings', `${call.path}: too many redirects.`);
  }

  /** A path of this BMC as a URL; anything that leads to another origin is refused before a credential is sent there. */
  #within(path: string): URL {
    const url = URL.canParse(path, this.#origin) ? new URL(path, this.#origin) : undefined;
    if (url?.origin === this.#origin.origin) return url;
    const where = url ? url.origin : 'something that is not an address';
    throw new PowerFailure('wrong-settings', `The BMC points to ${where}; credentials are only sent to ${this.#origin.origin}.`);
  }

  async #once(url: URL, call: Call): Promise<RedfishReply & { location: string | undefined }> {
    const ordered = call.method === 'POST';
    let reply: Dispatcher.ResponseData;
    try {
      reply = await request(url, {
        dispatcher: this.#agent,
        method: call.method,
        signal: this.#signal,
        headers: {
          authorization: this.#authorization,
          accept: 'application/json',
          'odata-version': '4.0',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(call.ifMatch === undefined ? {} : { 'if-match': call.ifMatch }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
      });
    } catch (error) {
      throw failureOfSending(error, url, ordered);
    }
    const { statusCode: status, headers } = reply;
    const redirected = [301, 302, 307, 308].includes(status) && (call.method === 'GET' || status >= 307);
    const location = redirected && typeof headers['location'] === 'string' ? headers['location'] : undefined;
    const etag = typeof headers['etag'] === 'string' ? headers['etag'] : undefined;
    try {
      return { status, etag, location, body: parseBody(await readBody(reply.body)) };
    } catch (error) {
      // The status is enough for an order; its body is only words.
      if (ordered) return { status, etag, location, body: undefined };
      throw error instanceof PowerFailure ? error : failureOfSending(error, url, false);
    }
  }
}

async function readBody(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > LARGEST_BODY) throw new PowerFailure('wrong-settings', `The BMC's answer is larger than ${LARGEST_BODY} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const notConnected = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'EADDRNOTAVAIL']);

function failureOfSending(error: unknown, url: URL, ordered: boolean): PowerFailure {
  if (error instanceof PowerFailure) return error;
  const code = isRecord(error) && typeof error['code'] === 'string' ? error['code'] : '';
  const words = error instanceof Error ? error.message : String(error);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new PowerFailure(code === 'ENOTFOUND' ? 'wrong-settings' : 'unreachable', `${url.hostname} has no address.`);
  if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/.test(code))
    return new PowerFailure(
      'wrong-settings',
      `${url.origin} shows a certificate that is not trusted (${code}); power_verify_ssl=n accepts it.`,
    );
  if (/^ERR_SSL|EPROTO/.test(code))
    return new PowerFailure('wrong-settings', `${url.origin} does not speak TLS; an address without it begins with http://.`);
  if (notConnected.has(code)) return new PowerFailure('unreachable', `${url.origin}: ${code}`);
  return new PowerFailure(ordered ? 'unknown-outcome' : 'unreachable', `${url.origin}: ${code || words}`);
}

function failUnlessOk(reply: RedfishReply, path: string, ordered: boolean): void {
  const { status } = reply;
  if (status >= 200 && status < 300) return;
  const said = `${path} answered ${status}${messageOf(reply.body)}`;
  if (status === 401 || status === 403) throw new PowerFailure('refused', said);
  // RFC 9110 section 15.6.4 and RFC 6585 section 4: the request was not handled.
  if (status === 503 || status === 429) throw new PowerFailure('busy', said);
  // A conflict is how several makers say "already so" or "not in this state".
  if (status === 409) throw new PowerFailure('busy', said);
  if (status === 400 || status === 405 || status === 501) throw new PowerFailure(ordered ? 'unsupported' : 'wrong-settings', said);
  if (status >= 500) throw new PowerFailure(ordered ? 'unknown-outcome' : 'busy', said);
  throw new PowerFailure('wrong-settings', said);
}

/** The first extended message of a Redfish error (DSP0266 section 8.6), shortened. */
function messageOf(body: unknown): string {
  const error = isRecord(body) ? body['error'] : undefined;
  if (!isRecord(error)) return '';
  const extended = error['@Message.ExtendedInfo'];
  const first: unknown = Array.isArray(extended) ? extended[0] : undefined;
  const message = isRecord(first) ? first['Message'] : error['message'];
  return typeof message === 'string' ? `: ${message.slice(0, 200)}` : '';
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
