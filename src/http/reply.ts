/** Replies that are more than a JSON body: text, bytes, streams, files with ranges, another program's reply passed on. */
import type { Readable } from 'node:stream';

const kind = Symbol('muster.reply');

/** What handlers return when a plain value will not do. Made only by the functions below. */
export interface BodyReply {
  readonly [kind]: true;
  /** Overrides the route's status. */
  readonly status?: number;
  /** Exactly this Content-Type; undefined sends none. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body: string | Buffer | Readable | FileSource | undefined;
  /** Bytes of a stream, when known. */
  readonly length?: number;
}

/** A body that can be opened anywhere: the kernel answers HEAD and Range from it. */
export interface FileSource {
  readonly size: number;
  /** Bytes `start` to `end`, both included. */
  readonly open: (start: number, end: number) => Readable;
  /** Strong validator, quotes included, for If-None-Match and If-Range. */
  readonly etag?: string;
}

/** Plain text, `text/plain; charset=utf-8` unless said otherwise. */
export function text(body: string, contentType = 'text/plain; charset=utf-8', status?: number): BodyReply {
  return { [kind]: true, contentType, body, ...(status === undefined ? {} : { status }) };
}

/** Bytes of any type. */
export function bytes(body: Buffer | string, contentType = 'application/octet-stream', status?: number): BodyReply {
  return { [kind]: true, contentType, body, ...(status === undefined ? {} : { status }) };
}

/** A stream; destroyed when the client goes. Give `length` (bytes) when known. */
export function stream(body: Readable, contentType: string, length?: number): BodyReply {
  return { [kind]: true, contentType, body, ...(length === undefined ? {} : { length }) };
}

/** A file of known size: HEAD, `Range` (one range, RFC 9110 §14) and `If-None-Match` are answered. */
export function file(source: FileSource, contentType = 'application/octet-stream'): BodyReply {
  return { [kind]: true, contentType, body: source };
}

/** No body, 204 unless said otherwise. */
export function nothing(status = 204): BodyReply {
  return { [kind]: true, status, body: undefined };
}

/** JSON with another status than the route's, or as `application/json` exactly. Not checked against the route's schema. */
export function json(body: unknown, status = 200, contentType = 'application/json; charset=utf-8'): BodyReply {
  return { [kind]: true, status, contentType, body: JSON.stringify(body ?? null) };
}

/** Headers that belong to one connection (RFC 9110 §7.6.1), or that this server sets itself. */
const ownHeaders: ReadonlySet<string> = new Set(
  `connection keep-alive proxy-authenticate proxy-connection te trailer transfer-encoding upgrade date x-request-id x-maas-api-hash`.split(
    ' ',
  ),
);

/**
 * Another program's reply, as it came (fronts), without the headers that are each server's own. Its cookies come along only with
 * `cookies`: the hub's sign-in sets one, a cell never may.
 */
export function passOn(
  status: number,
  headers: Readonly<Record<string, string | string[]>>,
  body: Readable | Buffer | undefined,
  { cookies = false }: { readonly cookies?: boolean } = {},
): BodyReply {
  const kept = Object.entries(headers).filter(([given]) => {
    const name = given.toLowerCase();
    return !ownHeaders.has(name) && (cookies || name !== 'set-cookie');
  });
  return { [kind]: true, status, headers: Object.fromEntries(kept), body };
}

export function isBodyReply(value: unknown): value is BodyReply {
  return typeof value === 'object' && value !== null && kind in value;
}
