/**
 * The server of every program: the table's routes, the program's handlers, one Fastify instance, any number of listeners.
 *
 * Who reads what: `match.ts` finds the route, `dispatch.ts` carries a request to its handler, `send.ts` and `failure-reply.ts` write what
 * comes back. Here: life and death of requests (ids, signals, logs, measurements) and of the server (listen, drain).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { fastify } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { fail } from '../contract/errors.ts';
import type { Failure } from '../contract/errors.ts';
import { isGone } from '../contract/gone-resources.ts';
import { basePaths } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { RouteId } from '../contract/routes.ts';
import { builtIn, builtInRoutes } from './built-in.ts';
import type { BuiltInRoute } from './built-in.ts';
import { dispatcher } from './dispatch.ts';
import type { LooseHandler, Outcome, Trace } from './dispatch.ts';
import { failureOf, failureReply } from './failure-reply.ts';
import type { Authenticate, CallRequest, Handlers } from './handler.ts';
import { listenerLimits, openListener } from './listener.ts';
import type { Listen, Listener, ListenerLimits } from './listener.ts';
import { matcher } from './match.ts';
import type { Table } from './match.ts';
import { requestMetrics } from './metrics.ts';
import { callerName } from './policy.ts';
import type { BodyReply } from './reply.ts';
import { addressOf, certificateOf, idempotencyKeyOf, originOf, requestIdOf, splitCell } from './request-facts.ts';
import { send } from './send.ts';

export interface Limits extends ListenerLimits {
  /** Most bytes of a body, and of single routes' bodies. */
  readonly bodyBytes: number;
  readonly routeBodyBytes: Readonly<Partial<Record<RouteId, number>>>;
}

/** A path that no route has: the web pages. undefined: 404. */
export type Pages = (request: {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}) => BodyReply | undefined | Promise<BodyReply | undefined>;

interface Common {
  readonly program: 'cell' | 'hub' | 'front';
  readonly version: string;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly limits?: Partial<Limits>;
  /** Tests and development: a JSON reply that its schema does not describe is a 500. */
  readonly checkReplies?: boolean;
  /** Why requests cannot be served now (`fail('starting')`, `fail('database_away')`); undefined when they can. Draining is known here. */
  readonly unready?: () => Failure | undefined | Promise<Failure | undefined>;
  /** What the client is told of an error that is no Failure (the database is away: 503); undefined: an internal error. */
  readonly explain?: (thrown: unknown) => Failure | undefined;
  /** Where measurements go; the program may add its own. */
  readonly registry?: Registry;
  /** Fronts: take `/cell/NAME/MAAS/…`, and say so in `call.request.cell`. */
  readonly cellPrefix?: boolean;
  readonly pages?: Pages;
  /** How far global config is here, `access=3.12 config=3.40`: in `Muster-Config-Revision` of every reply. */
  readonly revision?: () => string;
}

export interface ServerOptions<K extends RouteId> extends Common {
  /** What this program serves; all others are unknown endpoints here. Health, metrics and descriptions come by themselves. */
  readonly routeIds: readonly K[];
  readonly handlers: Handlers<Exclude<K, BuiltInRoute>>;
}

/** For tests of the kernel: any table. */
export interface LooseOptions extends Common {
  /** What is served. */
  readonly table: Table;
  /** What `describe/` and `openapi.json` tell of: all of the API, wherever one asks. */
  readonly described: Table;
  readonly handlers: ReadonlyMap<string, LooseHandler>;
}

export interface Server {
  /** The server without a socket. */
  readonly inject: FastifyInstance['inject'];
  readonly registry: Registry;
  /** May be called several times, for several addresses. */
  listen(where: Listen): Promise<Listener>;
  /** End well: `/readyz` fails, no new connections, long polls and streams end, running requests get `ms` (default 10 s), then are broken off. */
  drain(ms?: number): Promise<void>;
}

/** The part of the table that a program serves. */
function tableOf(routeIds: readonly string[]): Table {
  const wanted = new Set<string>([...routeIds, ...builtInRoutes]);
  return Object.fromEntries(Object.entries(routes).filter(([id]) => wanted.has(id)));
}

/** Build a program's server. It listens nowhere until `listen`. */
export function createServer<K extends RouteId>(options: ServerOptions<K>): Server {
  const handlers = new Map(Object.entries(options.handlers as unknown as Record<string, LooseHandler>));
  return createLooseServer({ ...options, table: tableOf(options.routeIds), described: routes, handlers });
}

/** @throws Error when a route has no handler. */
export function createLooseServer(options: LooseOptions): Server {
  const limits: Limits = { ...listenerLimits, bodyBytes: 4 << 20, routeBodyBytes: {}, ...options.limits };
  const metrics = requestMetrics(options.registry);
  const draining = new AbortController();
  const live = new Set<AbortController>();
  const listeners: Listener[] = [];
  const unready = async (): Promise<Failure | undefined> =>
    draining.signal.aborted ? fail('starting', { program: options.program }) : options.unready?.();
  const own = builtIn({ table: options.described, version: options.version, registry: metrics.registry, unready });
  const handlers = new Map([...own.handlers, ...options.handlers]);
  for (const id of Object.keys(options.table)) if (!handlers.has(id)) throw new Error(`${options.program}: ${id} has no handler`);
  const serveCall = dispatcher({
    table: options.table,
    matcher: matcher(options.table),
    handlers,
    authenticate: options.authenticate,
    bodyLimit: (id) => limits.routeBodyBytes[id as RouteId] ?? limits.bodyBytes,
    checkReplies: options.checkReplies ?? false,
  });

  const factsOf = (message: IncomingMessage, id: string, signal: AbortSignal): CallRequest => {
    const url = message.url ?? '/';
    const split = options.cellPrefix === true ? splitCell(url) : undefined;
    return {
      id,
      method: message.method ?? 'GET',
      url: split?.url ?? url,
      headers: message.headers,
      address: addressOf(message),
      origin: originOf(message),
      certificate: certificateOf(message),
      cell: split?.cell,
      signal,
      draining: draining.signal,
      idempotencyKey: idempotencyKeyOf(message),
    };
  };

  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { signal, sent }: { readonly signal: AbortSignal; readonly sent: Promise<boolean> },
    trace: Trace,
  ): Promise<Outcome> => {
    const facts = factsOf(request.raw, request.id, signal);
    const match = serveCall.match(facts.url);
    if (facts.url.startsWith(basePaths.api)) reply.header('x-maas-api-hash', own.hash);
    if (match !== undefined) {
      return serveCall.serve(match, request.raw, facts, { header: (name, value) => void reply.header(name, value), sent }, trace);
    }
    const path = facts.url.split(/[?#]/, 1)[0] ?? '/';
    const page = facts.cell === undefined && ['GET', 'HEAD'].includes(facts.method) && !path.startsWith(basePaths.api);
    if (isGone(path)) throw fail('kvm_gone');
    const found = page ? await options.pages?.({ method: facts.method, path, headers: facts.headers }) : undefined;
    if (found === undefined) throw fail('no_such_endpoint', { path });
    trace.route = 'page';
    return { status: 200, reply: found };
  };

  const handle = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const began = performance.now();
    const controller = new AbortController();
    const trace: Trace = {};
    const sent = Promise.withResolvers<boolean>();
    live.add(controller);
    metrics.begin();
    finished(reply.raw, (error) => {
      live.delete(controller);
      const gone = error !== undefined && error !== null;
      if (gone) controller.abort(error);
      sent.resolve(!gone);
      const seconds = (performance.now() - began) / 1000;
      metrics.end(trace.route ?? 'none', reply.raw.statusCode, seconds);
      const { method, id } = request;
      const line = { request: id, route: trace.route ?? 'none', method, status: reply.raw.statusCode, ms: Math.round(seconds * 1000) };
      options.log.info(
        { ...line, caller: callerName(trace.caller), address: addressOf(request.raw), ...(gone ? { gone } : {}) },
        'request',
      );
    });
    reply.header('x-request-id', request.id);
    if (draining.signal.aborted) reply.header('connection', 'close');
    // As of the end of the call, so that the reply to a write has the write in it; another program's reply that is passed on has its own.
    const tellRevision = (): void => {
      const revision = options.revision?.() ?? '';
      if (revision !== '') reply.header('muster-config-revision', revision);
    };
    try {
      const outcome = await answer(request, reply, { signal: controller.signal, sent: sent.promise }, trace);
      tellRevision();
      return send(reply, outcome.reply, outcome.status);
    } catch (thrown) {
      const explained = options.explain?.(thrown);
      const failure = explained ?? failureOf(thrown, request.id);
      if (explained !== undefined) options.log.warn({ request: request.id, route: trace.route ?? 'none', err: thrown }, 'request refused');
      else if (failure !== thrown) {
        const level = controller.signal.aborted ? 'debug' : 'error';
        options.log[level]({ request: request.id, route: trace.route ?? 'none', err: thrown }, 'request failed');
      }
      tellRevision();
      return send(reply, failureReply(failure), failure.status);
    }
  };

  const app = fastify({
    logger: false,
    genReqId: (message) => requestIdOf(message as IncomingMessage),
    exposeHeadRoutes: false,
    // `answer` decodes and judges paths itself; the router only has to let everything through.
    routerOptions: { maxParamLength: limits.headerBytes, querystringParser: () => ({}) },
    frameworkErrors: (_error, request, reply) => void handle(request, reply),
  });
  app.removeAllContentTypeParsers();
  // The body stays in the socket until `dispatch.ts` knows who sends it.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setErrorHandler((error, request, reply) => {
    const unsupported = (error as { statusCode?: number }).statusCode === 415;
    if (!unsupported) options.log.error({ request: request.id, err: error }, 'request failed');
    const failure = unsupported ? fail('unsupported_media', { type: 'unknown' }) : failureOf(error, request.id);
    return send(reply, failureReply(failure), failure.status);
  });
  app.setNotFoundHandler(handle);
  app.all('/*', handle);
  const ready = app.ready();

  return {
    inject: app.inject.bind(app) as FastifyInstance['inject'],
    registry: metrics.registry,
    listen: async (where) => {
      await ready;
      const listener = await openListener(
        where,
        (message: IncomingMessage, response: ServerResponse) => app.routing(message, response),
        limits,
      );
      listeners.push(listener);
      return listener;
    },
    drain: async (ms = 10_000) => {
      draining.abort(fail('starting', { program: options.program }));
      const closed = Promise.all(listeners.map((listener) => listener.close()));
      const late = setTimeout(() => {
        for (const controller of live) controller.abort(fail('starting', { program: options.program }));
        for (const listener of listeners) listener.destroy();
      }, ms);
      await closed;
      clearTimeout(late);
      await app.close();
    },
  };
}
