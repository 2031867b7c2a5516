/** What the ways of reaching cells work with, and the one place where a call becomes a request to a cell. */
import type { Logger } from 'pino';
import { fail, Failure } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { BodyReply } from '../http/reply.ts';
import { Absent, type CellLine, type CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import type { CellEntry, CellRegistry } from './cell-registry.ts';
import { encodeCall, type Carried, type Encoded } from './encode-call.ts';

/** A route of the contract and its id. */
export interface Entry {
  readonly id: string;
  readonly route: Route;
}

/** Headers that tell a program who is calling, for this one request. */
export type Vouch = (
  call: Pick<LooseCall, 'caller' | 'request'>,
  to: { readonly name: string; readonly method: string; readonly path: string },
) => Readonly<Record<string, string>>;

export interface FrontContext {
  readonly registry: CellRegistry;
  readonly line: CellLine;
  readonly vouch: Vouch;
  /** The front vouches for its callers: a cell that refuses one is behind, for the front knows better. */
  readonly asserts: boolean;
  readonly gatherMs: number;
  readonly callMs: number;
  readonly log: Logger;
  /** Carries out a call that takes or gives up a name of the fleet (`unique` of its route); left out where no hub reserves names. */
  readonly uniquely?: (
    context: FrontContext,
    route: Route,
    call: LooseCall,
    cell: CellEntry,
    go: () => Promise<BodyReply>,
  ) => Promise<BodyReply>;
}

/** How one kind of reach carries out a call. */
export type Reach = (context: FrontContext, entry: Entry, call: LooseCall) => Promise<unknown>;

export interface AskOptions {
  readonly ms?: number;
  readonly firstByte?: boolean;
  readonly signal?: AbortSignal;
  /** Carry the caller's Idempotency-Key: only where the cell gets the caller's own call. */
  readonly keyed?: boolean;
}

/** Ask one cell. @throws Absent, or the reason why the caller has gone. */
export function ask(
  context: FrontContext,
  call: LooseCall,
  cell: CellEntry,
  encoded: Encoded,
  options: AskOptions = {},
): Promise<CellReply> {
  const { method, path, body, contentType, stream = false } = encoded;
  const headers: Record<string, string> = {
    'x-request-id': call.request.id,
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(call.request.idempotencyKey === undefined || options.keyed !== true ? {} : { 'idempotency-key': call.request.idempotencyKey }),
    ...context.vouch(call, { name: cell.name, method, path }),
  };
  const { ms = context.callMs, firstByte = false, signal = call.request.signal } = options;
  return context.line.send(cell, { method, path, headers, body, stream }, { ms, firstByte, signal });
}

/** Forward a call to one cell and pass its reply on as it comes. @throws Failure `cell_absent` or `unknown_outcome`. */
export async function forward(
  context: FrontContext,
  route: Route,
  call: LooseCall,
  cell: CellEntry,
  carried: Carried = call,
): Promise<BodyReply> {
  if (cell.out) throw fail('cell_absent', { cell: cell.name });
  const go = () => passCall(context, route, call, cell, carried);
  return route.unique === null || !context.uniquely ? go() : context.uniquely(context, route, call, cell, go);
}

async function passCall(context: FrontContext, route: Route, call: LooseCall, cell: CellEntry, carried: Carried): Promise<BodyReply> {
  const encoded = await encodeCall(route, carried);
  try {
    const reply = await ask(context, call, cell, encoded, { keyed: true });
    if (reply.status === 401 && context.asserts) {
      reply.body.destroy();
      throw fail('cell_absent', { cell: cell.name });
    }
    return passed(reply);
  } catch (error) {
    throw absence(error, route, call);
  }
}

/** What the caller is told of a cell that did not answer. A POST that may have arrived must not be repeated blindly. */
export function absence(error: unknown, route: Pick<Route, 'method'>, call: Pick<LooseCall, 'request'>): unknown {
  if (!(error instanceof Absent)) return error;
  const unsure = error.sent && route.method === 'POST' && call.request.idempotencyKey === undefined;
  if (!unsure) return fail('cell_absent', { cell: error.cell.name });
  return new Failure(
    'unknown_outcome',
    `Cell ${error.cell.name} was asked and did not answer: it may have done it. Look before asking again.`,
  );
}
