/**
 * What a handler gets and what it gives back. A program registers `{ routeIds, handlers }`; a route without a handler is a type error.
 *
 * The kernel (`server.ts`) has already done, before a handler runs: authentication, the route's policy, body limits, decoding and checking
 * of every parameter. A handler judges the domain, returns its reply, and throws `fail(…)` or `invalid(…)` of the contract, nothing else.
 */
import type { RouteId, RouteParams, RoutePath, RouteReply, Routes } from '../contract/routes.ts';
import type { UploadedFile } from './form.ts';
import type { OauthCredentials } from './oauth.ts';
import type { BodyReply } from './reply.ts';

interface From {
  /** The peer's IP address as the socket sees it, IPv4-mapped addresses as plain IPv4. */
  readonly address: string;
}

export type AnonymousCaller = From & { readonly kind: 'anonymous' };
/** A person or a program with an API key, a session, or a front's assertion. */
export type UserCaller = From & {
  readonly kind: 'user';
  readonly username: string;
  readonly userId: number;
  readonly admin: boolean;
  readonly via: 'key' | 'session' | 'assertion';
};
/** A machine: `boot` is the ephemeral environment's credential, bound to a boot id and ticket; `system` is the installed system's. */
export type MachineCaller = From & {
  readonly kind: 'machine';
  readonly systemId: string;
  readonly credential: 'boot' | 'system';
  readonly bootId?: string;
  readonly ticket?: string;
};
/** A registered cell or front. */
export type CellCaller = From & { readonly kind: 'cell'; readonly name: string; readonly number: number; readonly role: 'cell' | 'front' };

export type Caller = AnonymousCaller | UserCaller | MachineCaller | CellCaller;

/** One value or several of a header, names in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The request as it came, for the few who need more than their parameters. */
export interface CallRequest {
  /** From `X-Request-Id` when sane, else drawn; in every log line and reply. */
  readonly id: string;
  readonly method: string;
  /** Path and query as sent, without the `/cell/NAME` prefix. */
  readonly url: string;
  readonly headers: Headers;
  readonly address: string;
  /** `http://host:port` as the client addressed us. */
  readonly origin: string;
  /** SHA-256 fingerprint of the client's TLS certificate, when it showed one. */
  readonly certificate: string | undefined;
  /** Cell named by a `/cell/NAME/` prefix, where the program takes one. */
  readonly cell: string | undefined;
  /** Aborted when the client has gone, or when draining runs out of time. */
  readonly signal: AbortSignal;
  /** Aborted as soon as the program drains: long polls and event streams end then. */
  readonly draining: AbortSignal;
  readonly idempotencyKey: string | undefined;
}

/** Adds headers to the reply; the kernel owns status and body. */
export interface CallReply {
  header(name: string, value: string): void;
  /** Resolves when the reply has left this program: true for a whole one, false when the client had gone. */
  readonly sent: Promise<boolean>;
}

export interface Call<K extends RouteId> {
  readonly route: K;
  readonly path: RoutePath<K>;
  readonly params: RouteParams<K>;
  /** Keys that the route does not name, where the route is `free`; else empty. */
  readonly free: Readonly<Record<string, readonly string[]>>;
  /** Every key as it came (query, then body), without `op` and OAuth's own: what a front forwards. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly files: readonly UploadedFile[];
  /** The body's bytes, on `raw` routes only. */
  readonly body: Buffer | undefined;
  readonly caller: CallerOf<Routes[K]['policy']>;
  readonly request: CallRequest;
  readonly reply: CallReply;
}

/** The callers that a policy lets through. */
export type CallerOf<P extends string> = P extends 'user' | 'admin'
  ? UserCaller
  : P extends 'machine'
    ? MachineCaller
    : P extends 'cell'
      ? CellCaller
      : Caller;

/** `json`: the reply's body. `none`: nothing. `text`, `sh`: a string. Everything may be a `BodyReply` (`text`, `bytes`, `stream`, `file`, …) instead. */
export type HandlerReply<K extends RouteId> =
  | BodyReply
  | {
      json: RouteReply<K>;
      none: void;
      text: string;
      sh: string;
      bson: Buffer;
      tar: Buffer;
      binary: Buffer;
      stream: BodyReply;
    }[Routes[K]['type']];

export type Handler<K extends RouteId> = (call: Call<K>) => HandlerReply<K> | Promise<HandlerReply<K>>;

/** A handler for every route of a program. `Handlers<'Zones.read' | 'Zone.read'>` for a part; spread the parts together. */
export type Handlers<K extends RouteId = RouteId> = { readonly [R in K]: Handler<R> };

/**
 * Who is calling? Injected by the program. `oauth` is what the request signed itself with (header, query or form), checked for shape only.
 * A request without credentials is `anonymous`; wrong credentials throw `fail('unauthorized')`; it may throw 503s.
 */
export type Authenticate = (request: CallRequest, oauth: OauthCredentials | undefined) => Caller | Promise<Caller>;
