/** A call as it goes on to a cell or the hub: the caller's own keys and files again, without the caller's credentials. */
import type { Route } from '../contract/route.ts';
import { routePath } from '../http/client.ts';
import type { LooseCall } from '../http/dispatch.ts';

export type Fields = Readonly<Record<string, readonly string[]>>;

/** The path, keys and files of a call; `fields` may be changed on the way. */
export type Carried = Pick<LooseCall, 'path' | 'fields' | 'files' | 'body'>;

export interface Encoded {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer | undefined;
  readonly contentType: string | undefined;
  /** The reply is a stream of events. */
  readonly stream?: boolean;
}

function pairsOf(fields: Fields): URLSearchParams {
  const pairs = new URLSearchParams();
  for (const [name, values] of Object.entries(fields)) for (const value of values) pairs.append(name, value);
  return pairs;
}

async function multipart(pairs: URLSearchParams, files: Carried['files']): Promise<Pick<Encoded, 'body' | 'contentType'>> {
  const form = new FormData();
  for (const [name, value] of pairs) form.append(name, value);
  for (const file of files) {
    form.append(file.name, new Blob([new Uint8Array(file.data)], { type: file.contentType ?? 'application/octet-stream' }), file.filename);
  }
  const response = new Response(form);
  return { body: Buffer.from(await response.arrayBuffer()), contentType: response.headers.get('content-type') ?? undefined };
}

/** Write the call down again. GET and DELETE carry their keys in the query, the others in the body, `op` is always in the query. */
export async function encodeCall(route: Pick<Route, 'base' | 'path' | 'method' | 'op' | 'raw' | 'type'>, call: Carried): Promise<Encoded> {
  const pairs = pairsOf(call.fields);
  const inQuery = route.raw || route.method === 'GET' || route.method === 'DELETE';
  const query = inQuery ? pairs : new URLSearchParams();
  if (route.op !== null) query.set('op', route.op);
  const path = routePath(route, call.path) + (query.size === 0 ? '' : `?${query}`);
  const { method } = route;
  if (route.raw) return { method, path, body: call.body, contentType: 'application/octet-stream' };
  if (inQuery) return { method, path, body: undefined, contentType: undefined, stream: route.type === 'stream' };
  if (call.files.length > 0) return { method, path, ...(await multipart(pairs, call.files)) };
  return { method, path, body: Buffer.from(pairs.toString()), contentType: 'application/x-www-form-urlencoded' };
}
