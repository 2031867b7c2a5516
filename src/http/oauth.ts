/**
 * OAuth 1.0 with PLAINTEXT signatures (RFC 5849 §3.4.4), as every MAAS client signs: key `consumer:token:secret`, consumer secret empty,
 * signature `&secret`. Runs in a browser too. It reads and writes the shape; whether a key is good is the program's to say.
 */
import { fail } from '../contract/errors.ts';

/** What a request signed itself with. */
export interface OauthCredentials {
  readonly consumerKey: string;
  readonly token: string;
  /** The token's secret, in clear. */
  readonly secret: string;
  /** Seconds since 1970 by the client's clock; machines may believe anything, so nothing is decided from it. */
  readonly timestamp: number;
  readonly nonce: string;
}

const needed = [
  'oauth_consumer_key',
  'oauth_token',
  'oauth_signature',
  'oauth_signature_method',
  'oauth_timestamp',
  'oauth_nonce',
] as const;
/** Longer than any real header by far; Node's own header limit is larger. */
const longestHeader = 4096;

function bad(reason: string) {
  return fail('bad_request', { reason: `Bad OAuth credentials: ${reason}.` });
}

/** RFC 3986 percent-decoding, strict. @throws Failure on a bad escape, invalid UTF-8 or NUL. */
function decode(text: string): string {
  let decoded;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw bad('a value is not percent-encoded UTF-8');
  }
  if (/\p{Cc}/u.test(decoded)) throw bad('a value has control characters');
  return decoded;
}

/** RFC 5849 §3.6 percent-encoding. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * The `name="value"` pairs of an `Authorization: OAuth …` header, in any order, spaces and realm as they like; undefined for another scheme.
 * @throws Failure `bad_request` when it is malformed or names a parameter twice.
 */
export function parseOauthHeader(header: string): Map<string, string> | undefined {
  const scheme = /^oauth(?:[ \t]+|$)/i.exec(header.trimStart());
  if (scheme === null) return undefined;
  if (header.length > longestHeader) throw bad('the header is too long');
  let rest = header.trimStart().slice(scheme[0].length).trim();
  const pairs = new Map<string, string>();
  while (rest !== '') {
    const pair = /^([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(?:"([^"]*)"|([^",\s]*))[ \t]*(,|$)/.exec(rest);
    if (pair === null) throw bad('the header is not a list of name="value" pairs');
    const name = (pair[1] ?? '').toLowerCase();
    if (pairs.has(name)) throw bad(`${name} is given twice`);
    const value = pair[2] ?? pair[3] ?? '';
    pairs.set(name, name === 'realm' ? value : decode(value));
    rest = rest.slice(pair[0].length).trimStart();
  }
  return pairs;
}

/**
 * Credentials from named parameters (header pairs, or the query or form).
 * @returns undefined when none of OAuth's parameters is there. @throws Failure `unauthorized` when one is missing, `bad_request` when one is malformed.
 */
export function oauthFrom(pairs: ReadonlyMap<string, string>): OauthCredentials | undefined {
  if (!needed.some((name) => pairs.has(name))) return undefined;
  for (const name of needed) if (!pairs.get(name)) throw fail('unauthorized');
  const given = (name: (typeof needed)[number]): string => pairs.get(name) ?? '';
  if (given('oauth_signature_method').toUpperCase() !== 'PLAINTEXT') throw bad('only the signature method PLAINTEXT is known');
  const version = pairs.get('oauth_version');
  if (version !== undefined && version !== '' && version !== '1.0') throw bad('the version must be 1.0');
  if (!/^\d{1,15}$/.test(given('oauth_timestamp'))) throw bad('the timestamp is not a whole number of seconds');
  const [consumerSecret, secret, ...more] = given('oauth_signature').split('&');
  if (secret === undefined || more.length > 0) throw bad('the signature is not two secrets joined by &');
  if (consumerSecret !== '' || secret === '') throw fail('unauthorized');
  return {
    consumerKey: given('oauth_consumer_key'),
    token: given('oauth_token'),
    secret: decode(secret),
    timestamp: Number(given('oauth_timestamp')),
    nonce: given('oauth_nonce'),
  };
}

/** Credentials of an Authorization header; undefined when it is of another scheme. An OAuth header without credentials is `unauthorized`. */
export function oauthOfHeader(header: string): OauthCredentials | undefined {
  const pairs = parseOauthHeader(header);
  if (pairs === undefined) return undefined;
  const credentials = oauthFrom(pairs);
  if (credentials === undefined) throw fail('unauthorized');
  return credentials;
}

/** An API key `consumer:token:secret` in its three parts; undefined when it is none. */
export function parseKey(key: string): { consumerKey: string; token: string; secret: string } | undefined {
  const match = /^([^:\s]+):([^:\s]+):([^:\s]+)$/.exec(key.trim());
  return match === null ? undefined : { consumerKey: match[1] ?? '', token: match[2] ?? '', secret: match[3] ?? '' };
}

/**
 * The Authorization header for an API key.
 * @param nonce any text that is not used twice. @throws RangeError when the key is not `consumer:token:secret`.
 */
export function oauthHeader(key: string, nonce: string = crypto.randomUUID(), now: number = Date.now()): string {
  const parts = parseKey(key);
  if (parts === undefined) throw new RangeError('an API key looks like consumer:token:secret');
  const pairs = {
    oauth_nonce: nonce,
    oauth_timestamp: String(Math.floor(now / 1000)),
    oauth_version: '1.0',
    oauth_signature_method: 'PLAINTEXT',
    oauth_consumer_key: parts.consumerKey,
    oauth_token: parts.token,
    oauth_signature: `&${encode(parts.secret)}`,
  };
  return `OAuth ${Object.entries(pairs)
    .map(([name, value]) => `${name}="${encode(value)}"`)
    .join(', ')}`;
}
