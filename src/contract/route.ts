/**
 * One operation of the API as data. From these entries alone come: registration and validation of requests, the describe document,
 * openapi.json, the typed client, the front's routing, the reference docs, and the test that no route lacks a policy.
 */
import type { Static, TObject, TSchema } from 'typebox';
import type { ErrorCode } from './errors.ts';

/** Where a route hangs: the MAAS API, log-in, the metadata server, network boot, the hub's replica feed, or the program itself. */
export type Base = 'api' | 'accounts' | 'metadata' | 'boot' | 'replica' | 'program';

export const basePaths: Record<Base, string> = {
  api: '/MAAS/api/2.0/',
  accounts: '/MAAS/accounts/',
  metadata: '/MAAS/metadata/',
  boot: '/boot/',
  replica: '/replica/',
  program: '/',
};

/**
 * Who may call. `anonymous`: anybody. `nonce`: whoever shows a live boot nonce in the body (the handler judges it). `machine`: boot or system
 * credential of a machine. `user`, `admin`: an API key or session. `cell`: a registered cell or front (replica feed).
 */
export type Policy = 'anonymous' | 'nonce' | 'machine' | 'user' | 'admin' | 'cell';

/** How a front treats the route (architecture §8). `own`: every program answers for itself and the front never forwards it. */
export type Reach = 'id' | 'gather' | 'place' | 'split' | 'allocate' | 'hub' | 'any' | 'own';

export type ReplyType = 'json' | 'text' | 'none' | 'bson' | 'tar' | 'sh' | 'stream' | 'binary';

/** One parameter of the query or body. An array schema means a repeated key; a record schema means `name_KEY` keys. */
export interface Param<S extends TSchema = TSchema, R extends boolean = boolean> {
  readonly schema: S;
  readonly doc: string;
  readonly required: R;
}

export function required<S extends TSchema>(schema: S, doc: string): Param<S, true> {
  return { schema, doc, required: true };
}

export function optional<S extends TSchema>(schema: S, doc: string): Param<S, false> {
  return { schema, doc, required: false };
}

export type Params = Readonly<Record<string, Param>>;

export interface ActionEntry {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Named operation, `op=`; null for plain create, read, update, delete. */
  readonly op: string | null;
  /** First line: a title. Then a blank line and the rest, in our own words. */
  readonly doc: string;
  readonly params: Params;
  /** True: keys that `params` does not name are kept and handed over as strings (`set_owner_data`). */
  readonly free: boolean;
  /** True: the body is handed over as bytes, not parsed. */
  readonly raw: boolean;
  readonly reply: TSchema;
  readonly status: 200 | 201 | 202 | 204;
  readonly type: ReplyType;
  readonly errors: readonly ErrorCode[];
  readonly policy: Policy;
  readonly reach: Reach;
  /** For gathers: may the answer be partial when a cell is absent? Look-ups that name things override this (`names`). */
  readonly partial: boolean;
  /** Parameters that name things: with one of these, a partial answer is refused (silence is not absence). */
  readonly names: readonly string[];
  /** For splits: ids that no machine has. `refused`: nothing is done at all; `ignored`: as if they were not there; `told`: each has its outcome in the reply. */
  readonly strangers: 'refused' | 'ignored' | 'told';
  /** The parameter whose value no two cells may have: a front reserves it at the hub before the cell gets the call, and frees what is given up. */
  readonly unique: string | null;
}

export interface Route extends ActionEntry {
  readonly handler: string;
  readonly action: string;
  readonly base: Base;
  /** URI template relative to the base, with `{system_id}`-style blanks. */
  readonly path: string;
  readonly resourceDoc: string;
}

type Defaulted = 'op' | 'params' | 'free' | 'raw' | 'status' | 'type' | 'errors' | 'partial' | 'names' | 'strangers' | 'unique';
type ActionGiven = Omit<ActionEntry, 'method' | Defaulted> & Partial<Pick<ActionEntry, Defaulted>>;

const actionDefaults = {
  op: null,
  params: {},
  free: false,
  raw: false,
  status: 200,
  type: 'json',
  errors: [],
  partial: false,
  names: [],
  strangers: 'refused',
  unique: null,
} as const;

type WithDefaults<M extends string, G> = { readonly method: M } & Omit<typeof actionDefaults, keyof G> & G;

function maker<M extends ActionEntry['method']>(method: M) {
  return <const G extends ActionGiven>(given: G): WithDefaults<M, G> => ({ ...actionDefaults, ...given, method }) as WithDefaults<M, G>;
}

/** Entries by method; `op` names the operation. */
export const get = maker('GET');
export const post = maker('POST');
export const put = maker('PUT');
export const remove = maker('DELETE');

type RoutesOf<H extends string, P extends string, A> = {
  readonly [K in keyof A & string as `${H}.${K}`]: A[K] & {
    readonly handler: H;
    readonly action: K;
    readonly base: Base;
    readonly path: P;
    readonly resourceDoc: string;
  };
};

/** A resource: its handler name in the describe document (without `Handler`), its path, and its actions. Keys become `Handler.action`. */
export function resource<const H extends string, const P extends string, const A extends Readonly<Record<string, ActionEntry>>>(
  handler: H,
  path: P,
  resourceDoc: string,
  actions: A,
  base: Base = 'api',
): RoutesOf<H, P, A> {
  const entries = Object.entries(actions).map(([action, entry]) => [
    `${handler}.${action}`,
    { ...entry, handler, action, base, path, resourceDoc },
  ]);
  return Object.fromEntries(entries) as RoutesOf<H, P, A>;
}

/** The blanks of a path template as an object of strings. */
export type PathOf<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & PathOf<Rest>
  : unknown;

/** What a handler gets for an action's parameters, decoded and checked. */
export type ParamsOf<A extends { readonly params: Params }> = {
  readonly [K in keyof A['params'] as A['params'][K]['required'] extends true ? K : never]: Static<A['params'][K]['schema']>;
} & {
  readonly [K in keyof A['params'] as A['params'][K]['required'] extends true ? never : K]?: Static<A['params'][K]['schema']>;
};

export type ReplyOf<A extends { readonly reply: TSchema }> = Static<A['reply']>;

/** Names of the blanks of a path template, in order. */
export function pathNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

/** An object schema's body type, for resources. */
export type Body<S extends TObject> = Static<S>;
