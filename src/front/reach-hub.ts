/** `hub`: a call that belongs to the hub. The hub is told who is calling; a session that is to be renewed or ended goes along, for the hub made it. */
import { fail } from '../contract/errors.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { passOn, type BodyReply } from '../http/reply.ts';
import type { GlobalReader } from '../global/document.ts';
import type { Entry, FrontContext, Vouch } from './front-context.ts';
import { encodeCall } from './encode-call.ts';
import type { HubLine } from './hub-line.ts';
import { beforeHub } from './retire.ts';
import { hubAudience } from './vouch.ts';

export interface HubDoor {
  readonly line: HubLine;
  readonly reader: GlobalReader;
}

function sessionHeaders({ request }: LooseCall, { route }: Entry): Record<string, string> {
  if (route.base !== 'accounts') return {};
  const { authorization, cookie } = request.headers;
  return {
    ...(typeof authorization === 'string' && /^bearer /i.test(authorization) ? { authorization } : {}),
    ...(typeof cookie === 'string' ? { cookie } : {}),
  };
}

/** Where the bytes of a raw body belong. */
function chunkHeaders({ request }: LooseCall, { route }: Entry): Record<string, string> {
  const range = request.headers['content-range'];
  return route.raw && typeof range === 'string' ? { 'content-range': range } : {};
}

/** The hub was spoken to over TLS; a browser that came here without must not be told to keep its cookie for TLS only. */
function cookiesFor(origin: string, headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
  const cookies = headers['set-cookie'];
  if (cookies === undefined || origin.startsWith('https:')) return { ...headers };
  return { ...headers, 'set-cookie': [cookies].flat().map((cookie) => cookie.replace(/;\s*Secure(?=;|$)/i, '')) };
}

/** @throws Failure `hub_absent`, and what `retire.ts` refuses. */
export async function reachHub(context: FrontContext, hub: HubDoor, vouch: Vouch, entry: Entry, call: LooseCall): Promise<BodyReply> {
  const carried = await beforeHub(context, hub, entry, call);
  const { method, path, body, contentType } = await encodeCall(entry.route, carried);
  const headers: Record<string, string> = {
    'x-request-id': call.request.id,
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(call.request.idempotencyKey === undefined ? {} : { 'idempotency-key': call.request.idempotencyKey }),
    ...sessionHeaders(call, entry),
    ...chunkHeaders(call, entry),
    ...vouch(call, { name: hubAudience, method, path }),
  };
  const reply = await hub.line.send({ method, path, headers, body }, call.request.signal);
  // Of a session that is to be renewed the hub itself judges; any other caller is known here, and the hub does not know this front, or its clock.
  if (reply.status === 401 && call.caller.kind === 'user' && entry.route.base !== 'accounts') {
    reply.body?.destroy();
    throw fail('hub_absent');
  }
  return passOn(reply.status, cookiesFor(call.request.origin, reply.headers), reply.body, { cookies: true });
}
