/**
 * A cell's reply as a browser may get it. The pages of the front have the same origin, so a cell that was taken over must not be able to send
 * them a page, a cookie or a rule: only headers that are known go on, and nothing in the body is ever run.
 */
import type { Readable } from 'node:stream';
import { passOn, type BodyReply } from '../http/reply.ts';
import type { CellReply } from './cell-line.ts';

const kept =
  /^(content-(type|length|disposition|range)|accept-ranges|retry-after|etag|last-modified|cache-control|allow|www-authenticate|muster-(?!cells$).+)$/;

const harmless = { 'content-security-policy': "default-src 'none'; sandbox", 'x-content-type-options': 'nosniff' };

/** Pass it on, as it came or with another body. */
export function passed({ status, headers, body }: CellReply, instead?: Buffer): BodyReply {
  const known = Object.entries(headers).filter(([name]) => kept.test(name.toLowerCase()));
  const given: Readable | Buffer = instead ?? body;
  return passOn(status, { ...Object.fromEntries(known), ...harmless }, given);
}
