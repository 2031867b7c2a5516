/**
 * The typed client, made from the route table: for the front, the CLI, the simulator and the web UI. Uses only the platform's `fetch`.
 *
 * Credentials go to the given URL and nowhere else: a redirect is an error, never followed.
 */
import type { ErrorCode, FieldErrors } from '../contract/errors.ts';
import { errors } from '../contract/errors.ts';
import { basePaths } from '../contract/route.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { RouteId, RouteParams, RoutePath, RouteReply, Routes } from '../contract/routes.ts';
import { oauthHeader } from './oauth.ts';

/** An error that the API answered, or (`status` 0) that kept it from answering. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** From `Muster-Error`; undefined when something else than Muster answered. */
  readonly code: ErrorCode | undefined;
  /** The body as sent. */
  readonly text: string;
  /** Seconds; given only when trying again may help. */
  readonly retryAfter: number | undefined;
  readonly fields: FieldErrors | undefined;

  constructor(given: Pick<ApiError, 'status' | 'code' | 'text' | 'retryAfter' | 'fields'>, cause?: unknown) {
    super(given.text === '' ? `HTTP ${given.status}` : given.text.slice(0, 2000), cause === undefined ? {} : { cause });
    this.status = given.status;
    this.code = given.code;
    this.text = given.text;
    this.retryAfter = given.retryAfter;
    this.fields = given.fields;
  }
}

export interface ClientOptions {
  /** Where the program answers: `http://host:5240`, with or without `/MAAS/`. */
  readonly url: string;
  /** API key `consumer:token:secret`. */
  readonly key?: string;
  /** Session or assertion, sent as a bearer token. Browsers with a session cookie need neither. */
  readonly session?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
  /** Through a front: this cell alone. */
  readonly cell?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further keys, on `free` routes. */
  readonly free?: Readonly<Record<string, string | readonly string[]>>;
  /** The body of a `raw` route. */
  readonly body?: Blob | Uint8Array<ArrayBuffer> | string;
  /** Sends everything as multipart. */
  readonly files?: readonly { readonly name: string; readonly filename: string; readonly data: Blob }[];
}

/** What `call` resolves to, by the route's type. */
export type ClientReply<K extends RouteId> = {
  json: RouteReply<K>;
  none: null;
  text: string;
  sh: string;
  bson: Uint8Array;
  tar: Uint8Array;
  binary: Uint8Array;
  stream: ReadableStream<Uint8Array>;
}[Routes[K]['type']];

export interface Client {
  /** Call a route; its reply's body. @throws ApiError. */
  call<K extends RouteId>(id: K, path: RoutePath<K>, params: RouteParams<K>, options?: CallOptions): Promise<ClientReply<K>>;
  /** The same, unread, for those who need headers or a stream. @throws ApiError. */
  open<K extends RouteId>(id: K, path: RoutePath<K>, params: RouteParams<K>, options?: CallOptions): Promise<Response>;
}

function textOf(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Parameters as they travel: lists as repeated keys, records as `name_KEY`, objects as JSON, booleans as true and false. */
export function encodeParams(route: Pick<Route, 'params'>, params: Readonly<Record<string, unknown>>): URLSearchParams {
  const encoded = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    const schema = route.params[name]?.schema ?? {};
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value as unknown[]) encoded.append(name, textOf(one));
    else if ('patternProperties' in schema && typeof value === 'object' && value !== null) {
      for (const [key, one] of Object.entries(value)) if (one !== undefined) encoded.append(`${name}_${key}`, textOf(one));
    } else encoded.append(name, textOf(value));
  }
  return encoded;
}

/** The URL path of a route, its blanks filled in. @throws RangeError when one is missing or empty. */
export function routePath(route: Pick<Route, 'base' | 'path'>, path: Readonly<Record<string, string>>): string {
  const filled = route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = path[name];
    if (value === undefined || value === '' || value === '.' || value === '..') throw new RangeError(`no ${name} for ${route.path}`);
    return encodeURIComponent(value);
  });
  return basePaths[route.base] + filled;
}

function bodyOf(route: Route, encoded: URLSearchParams, options: CallOptions): BodyInit | undefined {
  if (route.raw) return options.body ?? '';
  if (route.method === 'GET' || route.method === 'DELETE') return undefined;
  if (options.files === undefined) return encoded;
  const form = new FormData();
  for (const [name, value] of encoded) form.append(name, value);
  for (const file of options.files) form.append(file.name, file.data, file.filename);
  return form;
}

function fieldsOf(text: string): FieldErrors | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const shaped = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return shaped && Object.values(parsed).every((list) => Array.isArray(list)) ? (parsed as FieldErrors) : undefined;
  } catch {
    return undefined;
  }
}

/** A reply that is not 2xx, as an error. */
export async function apiErrorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const code = response.headers.get('muster-error') ?? '';
  const after = response.headers.get('retry-after') ?? '';
  return new ApiError({
    status: response.status,
    code: Object.hasOwn(errors, code) ? (code as ErrorCode) : undefined,
    text,
    retryAfter: /^\d{1,6}$/.test(after) ? Number(after) : undefined,
    fields: response.headers.get('content-type')?.startsWith('application/json') === true ? fieldsOf(text) : undefined,
  });
}

async function read(route: Route, response: Response): Promise<unknown> {
  if (response.status === 204) return null;
  if (route.type === 'json') return response.json();
  if (route.type === 'none') return response.body?.cancel().then(() => null) ?? null;
  if (route.type === 'text' || route.type === 'sh') return response.text();
  return route.type === 'stream' ? response.body : new Uint8Array(await response.arrayBuffer());
}

export function createClient(options: ClientOptions): Client {
  const root = options.url.replace(/\/+$/, '').replace(/\/MAAS$/, '');
  const send = options.fetch ?? ((url: string, init: RequestInit) => fetch(url, init));

  const open = async (
    route: Route,
    path: Readonly<Record<string, string>>,
    params: Readonly<Record<string, unknown>>,
    call: CallOptions,
  ): Promise<Response> => {
    const encoded = encodeParams(route, params);
    for (const [name, value] of Object.entries(call.free ?? {})) for (const one of [value].flat()) encoded.append(name, one);
    const body = bodyOf(route, encoded, call);
    const query = body === undefined || route.raw ? encoded : new URLSearchParams();
    if (route.op !== null) query.set('op', route.op);
    const cell = call.cell === undefined ? '' : `/cell/${encodeURIComponent(call.cell)}`;
    const url = `${root}${cell}${routePath(route, path)}${query.size === 0 ? '' : `?${query}`}`;
    const headers = new Headers({ ...options.headers, ...call.headers });
    if (options.key !== undefined) headers.set('authorization', oauthHeader(options.key));
    else if (options.session !== undefined) headers.set('authorization', `Bearer ${options.session}`);
    if (call.idempotencyKey !== undefined) headers.set('idempotency-key', call.idempotencyKey);
    let response;
    try {
      response = await send(url, {
        method: route.method,
        headers,
        redirect: 'error',
        ...(body === undefined ? {} : { body }),
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      });
    } catch (error) {
      if (call.signal?.aborted === true) throw error;
      throw new ApiError({ status: 0, code: undefined, text: `No answer from ${root}.`, retryAfter: undefined, fields: undefined }, error);
    }
    if (response.ok) return response;
    throw await apiErrorOf(response);
  };

  return {
    open: (id, path, params, call = {}) => open(routes[id], path as Record<string, string>, params, call),
    call: async <K extends RouteId>(id: K, path: RoutePath<K>, params: RouteParams<K>, call: CallOptions = {}) => {
      const route: Route = routes[id];
      return (await read(route, await open(route, path as Record<string, string>, params, call))) as ClientReply<K>;
    },
  };
}
