/** What a raw request says of itself, made safe to use. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { fail } from '../contract/errors.ts';

/** The client's `X-Request-Id` when it is short and plain, else a new one. */
export function requestIdOf(message: IncomingMessage): string {
  const given = message.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** The peer's IP address; IPv4-mapped IPv6 as plain IPv4. */
export function addressOf(message: IncomingMessage): string {
  return (message.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/**
 * `http://host:port` as the client addressed us: for links in replies only, nothing is decided from it. A TLS-ending balancer tells the
 * scheme in `X-Forwarded-Proto`.
 */
export function originOf(message: IncomingMessage): string {
  const host = message.headers.host ?? '';
  const forwarded = message.headers['x-forwarded-proto'];
  const scheme = message.socket instanceof TLSSocket || forwarded === 'https' ? 'https' : 'http';
  return /^[\w.-]{1,255}(:\d{1,5})?$|^\[[\da-fA-F:.]{2,45}\](:\d{1,5})?$/.test(host) ? `${scheme}://${host}` : `${scheme}://localhost`;
}

/** SHA-256 fingerprint of the client's certificate, where TLS asked for one. */
export function certificateOf(message: IncomingMessage): string | undefined {
  return message.socket instanceof TLSSocket ? message.socket.getPeerCertificate()?.fingerprint256 : undefined;
}

/** The Idempotency-Key header. @throws Failure when it is not 1–255 visible ASCII characters. */
export function idempotencyKeyOf(message: IncomingMessage): string | undefined {
  const given = message.headers['idempotency-key'];
  if (given === undefined) return undefined;
  if (typeof given === 'string' && /^[\x21-\x7e]{1,255}$/.test(given)) return given;
  throw fail('bad_request', { reason: 'Idempotency-Key must be 1 to 255 visible ASCII characters.' });
}

/** `/cell/NAME/rest` as its cell and `/rest`. */
export function splitCell(url: string): { cell: string; url: string } | undefined {
  const match = /^\/cell\/([a-z0-9][a-z0-9-]{0,62})(\/.*)$/s.exec(url);
  return match === null ? undefined : { cell: match[1] ?? '', url: match[2] ?? '' };
}
