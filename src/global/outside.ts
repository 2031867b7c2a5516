/**
 * What the authority asks of programs that are none of this fleet: SSH keys of somebody at Launchpad or GitHub, and whether an OpenID issuer
 * is one. Bounded in time and bytes, and a redirect leads to no other host.
 */
import { Agent, fetch as undiciFetch } from 'undici';

/** Where to ask; left out: the public ones. */
export interface OutsideAddresses {
  readonly launchpad?: string | undefined;
  readonly github?: string | undefined;
}

/** Why an answer could not be had, in words for the caller. */
export class OutsideTrouble extends Error {
  override readonly name = 'OutsideTrouble';
}

export interface OutsideDoor {
  /** Public keys, one a line, of somebody at `lp` or `gh`; undefined when there is nobody of that name. @throws OutsideTrouble */
  sshKeysOf(source: 'lp' | 'gh', user: string): Promise<string | undefined>;
  /** The issuer that a discovery document names. @throws OutsideTrouble */
  issuerAt(url: string): Promise<string>;
}

const mostBytes = 256 * 1024;
/** Below what a front waits for the hub. */
const mostMs = 8_000;
const mostRedirects = 3;

const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${mostMs / 1000} s`;
  return error.cause instanceof Error ? error.cause.message : error.message;
};

/** What comes is counted as it is unpacked: a few bytes on their way may be many behind it. @throws OutsideTrouble */
async function boundedText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    if (size > mostBytes) throw new OutsideTrouble(`it answered more than ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** One text, or undefined on 404. @throws OutsideTrouble */
async function textAt(address: string, accept: string): Promise<string | undefined> {
  const agent = new Agent({ connect: { timeout: mostMs }, maxResponseSize: mostBytes });
  const signal = AbortSignal.timeout(mostMs);
  const { origin } = new URL(address);
  try {
    let url = address;
    for (let hop = 0; hop <= mostRedirects; hop += 1) {
      const reply = await undiciFetch(url, { dispatcher: agent, redirect: 'manual', headers: { accept }, signal });
      const location = reply.headers.get('location');
      if (reply.status >= 300 && reply.status < 400 && location !== null) {
        const next = new URL(location, url);
        if (next.origin !== origin) throw new OutsideTrouble(`it redirects to ${next.origin}`);
        url = next.href;
        await reply.body?.cancel();
        continue;
      }
      if (reply.status === 404) return undefined;
      if (reply.status !== 200) throw new OutsideTrouble(`it answered ${reply.status}`);
      return await boundedText(reply.body);
    }
    throw new OutsideTrouble(`it redirects more than ${mostRedirects} times`);
  } catch (error) {
    throw error instanceof OutsideTrouble ? error : new OutsideTrouble(causeOf(error));
  } finally {
    // Not waited for: a name that is being looked up cannot be called off, and takes the resolver's 40 s.
    agent.destroy().catch(() => undefined);
  }
}

/** Names may only be what these sites take: nothing that would make another path or host of the address. */
const userNames = { lp: /^[a-z0-9][a-z0-9+.-]{0,63}$/, gh: /^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$/ } as const;

/** `lp:ann` or `gh:ann` in its parts; undefined when it is neither. */
export function parseKeySource(text: string): { readonly source: 'lp' | 'gh'; readonly user: string } | undefined {
  const [, source, user = ''] = /^(lp|gh):(.+)$/s.exec(text) ?? [];
  if (source !== 'lp' && source !== 'gh') return undefined;
  return userNames[source].test(user) ? { source, user } : undefined;
}

/** Over TLS, or to this very machine. */
export function isSafeIssuer(url: string): boolean {
  const parsed = URL.parse(url);
  return (
    parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(parsed.hostname))
  );
}

function issuerIn(text: string): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new OutsideTrouble('its discovery document is no JSON');
  }
  const issuer = typeof document === 'object' && document !== null ? (document as { readonly issuer?: unknown }).issuer : undefined;
  if (typeof issuer !== 'string') throw new OutsideTrouble('its discovery document names no issuer');
  return issuer;
}

export function openOutside({ launchpad = 'https://launchpad.net', github = 'https://github.com' }: OutsideAddresses = {}): OutsideDoor {
  const base = (url: string): string => url.replace(/\/+$/, '');
  return {
    sshKeysOf: (source, user) =>
      textAt(source === 'lp' ? `${base(launchpad)}/~${user}/+sshkeys` : `${base(github)}/${user}.keys`, 'text/plain'),
    issuerAt: async (url) => {
      const text = await textAt(`${base(url)}/.well-known/openid-configuration`, 'application/json');
      if (text === undefined) throw new OutsideTrouble('it has no discovery document');
      return issuerIn(text);
    },
  };
}
