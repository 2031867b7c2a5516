/**
 * One request from bytes to a handler and back: match, authenticate, judge by the route's policy, read, decode, call. Everything that goes
 * wrong is thrown; `server.ts` turns it into a reply.
 *
 * Who is calling is settled before the body is read wherever the request allows it, so that a stranger cannot make us hold megabytes.
 */
import type { IncomingMessage } from 'node:http';
import { Compile } from 'typebox/compile';
import { fail, invalid } from '../contract/errors.ts';
import { parameterDecoder } from '../contract/parameter.ts';
import type { Decoded, RawFields } from '../contract/parameter.ts';
import type { Param } from '../contract/route.ts';
import { hasBody, readBody } from './body.ts';
import { addField, decodeText, isForm, parseForm, parseUrlencoded } from './form.ts';
import type { Fields, Form, UploadedFile } from './form.ts';
import type { Authenticate, Caller, CallReply, CallRequest } from './handler.ts';
import { chooseOp, pick } from './match.ts';
import type { Entry, Match, Matcher, Table } from './match.ts';
import { oauthFrom, oauthOfHeader } from './oauth.ts';
import type { OauthCredentials } from './oauth.ts';
import { crossSite, refusal } from './policy.ts';
import { isBodyReply, text } from './reply.ts';
import type { BodyReply } from './reply.ts';
import { replyOf } from './send.ts';

/** A call whose route is not known to the compiler; `handler.ts` has the typed one. */
export interface LooseCall {
  readonly route: string;
  readonly path: Readonly<Record<string, string>>;
  readonly params: Readonly<Record<string, unknown>>;
  readonly free: Readonly<Record<string, readonly string[]>>;
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly files: readonly UploadedFile[];
  readonly body: Buffer | undefined;
  readonly caller: Caller;
  readonly request: CallRequest;
  readonly reply: CallReply;
}

export type LooseHandler = (call: LooseCall) => unknown;

export interface DispatchOptions {
  readonly table: Table;
  readonly matcher: Matcher;
  readonly handlers: ReadonlyMap<string, LooseHandler>;
  readonly authenticate: Authenticate;
  /** Most bytes of a body, for this route (undefined: not known yet). */
  readonly bodyLimit: (id: string | undefined) => number;
  readonly checkReplies: boolean;
}

/** What becomes known on the way, for the log. */
export interface Trace {
  route?: string;
  caller?: Caller;
}

export interface Outcome {
  readonly status: number;
  readonly reply: BodyReply;
}

/** Is a path served at all? */
export interface Dispatcher {
  match(url: string): Match | undefined;
  serve(match: Match, message: IncomingMessage, request: CallRequest, reply: CallReply, trace: Trace): Promise<Outcome>;
}

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at + 1);
}

function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? '';
}

function oauthOf(fields: Fields): OauthCredentials | undefined {
  const pairs = new Map([...fields].filter(([name]) => name.startsWith('oauth_')).map(([name, values]) => [name, values.at(-1) ?? '']));
  return oauthFrom(pairs);
}

/** The query's values, replaced key by key by the body's; without `op` and OAuth's own. */
function merge(query: Fields, body: Fields): Fields {
  return new Map([...query, ...body].filter(([name]) => name !== 'op' && !name.startsWith('oauth_')));
}

/** Bytes, not text: the handler takes them from the call's files. */
function isBytes(param: Param | undefined): boolean {
  return (param?.schema as { readonly contentMediaType?: string } | undefined)?.contentMediaType === 'application/octet-stream';
}

/** A file part stands for a text parameter of its name (`maas … key@=file`), unless the text was sent as well. */
function withFiles(fields: Fields, files: readonly UploadedFile[], entry: Entry): Fields {
  for (const file of files) {
    const wanted = Object.hasOwn(entry.route.params, file.name) && !fields.has(file.name) && !isBytes(entry.route.params[file.name]);
    if (wanted) addField(fields, file.name, decodeText(file.data, `The file ${JSON.stringify(file.name)}`));
  }
  return fields;
}

export function dispatcher(options: DispatchOptions): Dispatcher {
  const decoders = new Map<string, (fields: RawFields) => Decoded>();
  const checks = new Map<string, ReturnType<typeof Compile>>();
  /** Handlers with nothing for signed-in callers: credentials there are not even looked at (MAAS's `version/`). */
  const open = new Set(
    Object.values(options.table)
      .map((route) => route.handler)
      .filter((handler) => Object.values(options.table).every((route) => route.handler !== handler || route.policy === 'anonymous')),
  );

  const decoderOf = (entry: Entry): ((fields: RawFields) => Decoded) => {
    const known = decoders.get(entry.id) ?? parameterDecoder(entry.route);
    decoders.set(entry.id, known);
    return known;
  };

  const check = (entry: Entry, returned: unknown): void => {
    if (!options.checkReplies || entry.route.type !== 'json' || isBodyReply(returned)) return;
    const compiled = checks.get(entry.id) ?? Compile(entry.route.reply);
    checks.set(entry.id, compiled);
    const sent: unknown = JSON.parse(JSON.stringify(returned ?? null));
    if (compiled.Check(sent)) return;
    const problems = compiled.Errors(sent).slice(0, 5);
    throw new Error(`${entry.id} replied against its schema: ${problems.map((one) => `${one.instancePath} ${one.message}`).join('; ')}`);
  };

  const judge = (entry: Entry, caller: Caller, request: CallRequest): void => {
    const refused = refusal(entry.route.policy, caller);
    if (refused !== undefined) throw refused;
    const byCookie = caller.kind === 'user' && caller.via === 'session' && request.headers['cookie'] !== undefined;
    if (byCookie && crossSite(request.method, request.headers)) throw fail('forbidden');
  };

  const authenticate = async (match: Match, request: CallRequest, oauth: OauthCredentials | undefined): Promise<Caller> => {
    if (match.entries.every((entry) => open.has(entry.route.handler))) return { kind: 'anonymous', address: request.address };
    return options.authenticate(request, oauth);
  };

  const serve = async (match: Match, message: IncomingMessage, request: CallRequest, reply: CallReply, trace: Trace): Promise<Outcome> => {
    const query = parseUrlencoded(queryOf(request.url), 'The query');
    const queryOp = query.get('op')?.at(-1);
    const unknown = (op: string | undefined) => fail('unrecognised_signature', { method: request.method, op: op ?? 'None' });
    const note = (entry: Entry | undefined): void => {
      if (entry !== undefined) trace.route = entry.id;
    };

    // The body can only add an op where neither query nor path has one.
    const early = chooseOp(queryOp, undefined, match.op);
    const body = hasBody(message);
    const contentType = message.headers['content-type'];
    const named = match.entries.some((one) => one.route.method === request.method && one.route.op !== null);
    const mayNameOp = named && body && early === undefined && isForm(contentType);
    let entry = mayNameOp ? undefined : pick(match, request.method, early);
    if (!mayNameOp && entry === undefined) throw unknown(early);
    note(entry);
    if (match.slash === 'missing' && match.base === 'api' && ['GET', 'HEAD'].includes(request.method)) {
      return { status: 301, reply: redirect(request) };
    }

    const header = message.headers.authorization;
    let caller = await authenticate(match, request, (header === undefined ? undefined : oauthOfHeader(header)) ?? oauthOf(query));
    trace.caller = caller;
    const signedInside = caller.kind === 'anonymous' && body && isForm(contentType) && entry?.route.raw !== true;
    if (entry !== undefined && !signedInside) judge(entry, caller, request);

    const data = body ? await readBody(message, options.bodyLimit(entry?.id)) : undefined;
    const parsed: Form = data === undefined || entry?.route.raw === true ? { fields: new Map(), files: [] } : parseForm(contentType, data);
    const op = chooseOp(queryOp, parsed.fields.get('op')?.at(-1), match.op);
    if (entry !== undefined && (op ?? null) !== entry.route.op) throw unknown(op);
    if (entry === undefined) {
      entry = pick(match, request.method, op);
      if (entry === undefined) throw unknown(op);
      note(entry);
      if (data !== undefined && data.length > options.bodyLimit(entry.id)) throw fail('too_large', { limit: options.bodyLimit(entry.id) });
    }
    const inside = signedInside ? oauthOf(parsed.fields) : undefined;
    if (inside !== undefined) caller = await authenticate(match, request, inside);
    trace.caller = caller;
    judge(entry, caller, request);

    const fields = merge(query, parsed.fields);
    const decoded = decoderOf(entry)(withFiles(new Map(fields), parsed.files, entry));
    if (decoded.errors !== undefined) throw invalid(decoded.errors);
    const handler = options.handlers.get(entry.id);
    if (handler === undefined) throw new Error(`${entry.id} has no handler`);
    const returned = await handler({
      route: entry.id,
      path: match.path,
      params: decoded.params,
      free: decoded.free,
      fields: Object.fromEntries(fields),
      files: parsed.files,
      body: entry.route.raw ? (data ?? Buffer.alloc(0)) : undefined,
      caller,
      request,
      reply,
    });
    check(entry, returned);
    return { status: entry.route.status, reply: replyOf(entry.route, returned) };
  };

  return { match: (url) => options.matcher(pathOf(url)), serve };
}

/** Django's APPEND_SLASH: the same path with its slash. One leading slash only, so that it can never name another host. */
function redirect(request: CallRequest): BodyReply {
  const prefix = request.cell === undefined ? '' : `/cell/${request.cell}`;
  const query = queryOf(request.url);
  const location = `${prefix}${pathOf(request.url).replace(/\/+/g, '/')}/${query === '' ? '' : `?${query}`}`;
  return { ...text('', 'text/html; charset=utf-8', 301), headers: { location } };
}
