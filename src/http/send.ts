/** Writing a reply to the wire: statuses, HEAD, ranges and conditional requests of files. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Route } from '../contract/route.ts';
import { byteRange } from './byte-range.ts';
import { bytes, isBodyReply, nothing, text } from './reply.ts';
import type { BodyReply, FileSource } from './reply.ts';

/** Content types of bodies that handlers return as plain strings or bytes. */
const contentTypes: Readonly<Record<Route['type'], string>> = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  none: 'text/plain; charset=utf-8',
  sh: 'text/x-shellscript; charset=utf-8',
  bson: 'application/bson',
  tar: 'application/x-tar',
  binary: 'application/octet-stream',
  stream: 'application/octet-stream',
};

/** What a handler returned, as a body. @throws Error when it does not fit the route's type. */
export function replyOf(route: Pick<Route, 'type' | 'status'>, returned: unknown): BodyReply {
  if (isBodyReply(returned)) return returned;
  if (route.status === 204) return nothing();
  const contentType = contentTypes[route.type];
  if (route.type === 'json') return bytes(JSON.stringify(returned ?? null), contentType, route.status);
  if (route.type === 'none') return text('', contentType, route.status);
  if (typeof returned === 'string' || Buffer.isBuffer(returned)) return bytes(returned, contentType, route.status);
  throw new Error(`a handler of a ${route.type} route returned ${typeof returned}`);
}

function isFile(body: BodyReply['body']): body is FileSource {
  return typeof body === 'object' && 'open' in body && 'size' in body;
}

function sendFile(reply: FastifyReply, source: FileSource, status: number): unknown {
  const { headers, method } = reply.request;
  reply.header('accept-ranges', 'bytes');
  if (source.etag !== undefined) {
    reply.header('etag', source.etag);
    const wanted = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (wanted?.includes(source.etag) === true || wanted?.includes('*') === true)
      return reply.code(304).removeHeader('content-type').send();
  }
  const fresh = headers['if-range'] === undefined || headers['if-range'] === source.etag;
  const range = method === 'GET' && status === 200 && fresh ? byteRange(headers.range, source.size) : 'whole';
  if (range === 'unsatisfiable') {
    return reply
      .code(416)
      .header('content-range', `bytes */${source.size}`)
      .type('text/plain; charset=utf-8')
      .send('No such range of bytes.');
  }
  const { start, end } = range === 'whole' ? { start: 0, end: source.size - 1 } : range;
  if (range !== 'whole') reply.code(206).header('content-range', `bytes ${start}-${end}/${source.size}`);
  reply.header('content-length', String(end - start + 1));
  if (method === 'HEAD' || end < start) return reply.send();
  return reply.send(source.open(start, end));
}

/** Send it. Headers that the handler added are on `reply` already. */
export function send(reply: FastifyReply, given: BodyReply, status: number): unknown {
  const code = given.status ?? status;
  reply.code(code);
  for (const [name, value] of Object.entries(given.headers ?? {})) reply.header(name, value);
  if (given.contentType !== undefined) reply.header('content-type', given.contentType);
  const { body } = given;
  if (isFile(body)) return sendFile(reply, body, code);
  if (given.length !== undefined) reply.header('content-length', String(given.length));
  if (body instanceof Readable) {
    if (reply.request.method !== 'HEAD') return reply.send(body);
    body.destroy();
    return reply.send();
  }
  if (body === undefined) return reply.send();
  const data = typeof body === 'string' ? Buffer.from(body) : body;
  reply.header('content-length', String(data.length));
  return reply.request.method === 'HEAD' ? reply.send() : reply.send(data);
}
