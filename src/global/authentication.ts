/**
 * Who is calling? API keys, sessions, assertions of fronts, and registered cells and fronts, all answered from memory: no SQL a request,
 * and a revoked key is refused as soon as the revocation is in memory. Machines' credentials are the cell's own business.
 */
import type { KeyObject } from 'node:crypto';
import { fail } from '../contract/errors.ts';
import type { Authenticate, Caller, CallRequest, UserCaller } from '../http/handler.ts';
import type { OauthCredentials } from '../http/oauth.ts';
import { secretFits } from './api-key.ts';
import { assertionHeader, readAssertion } from './assertion.ts';
import { callerHeader, readCaller, readRetiredCaller } from './caller-seal.ts';
import type { GlobalReader } from './document.ts';
import type { BodyOf } from './kinds.ts';
import { readSession, sessionOfCookies, type SessionKey } from './session.ts';

export interface AuthenticationOptions {
  readonly reader: GlobalReader;
  /** The program's name as assertions must give it: a cell's name, or `hub`. A front gives undefined: nobody asserts to it. */
  readonly audience: string | undefined;
  /** The public key of whoever mints sessions: the hub, or this cell when it stands alone. A function where it may change. */
  readonly sessionKey: KeyObject | (() => readonly SessionKey[]);
  /** ms since 1970; for tests. */
  readonly now?: () => number;
}

/** Makes the kernel's `authenticate`. A request without credentials is anonymous; wrong ones throw `unauthorized`. */
export function createAuthenticate(options: AuthenticationOptions): Authenticate {
  const { reader } = options;
  const now = options.now ?? Date.now;
  return (request, oauth): Caller => {
    const caller = single(request, callerHeader);
    if (caller !== undefined) return registered(reader, request, caller, now());
    const assertion = single(request, assertionHeader);
    if (assertion !== undefined) return asserted(options, request, assertion, now());
    if (oauth) return keyHolder(reader, request, oauth);
    return sessionHolder(options, request, now()) ?? { kind: 'anonymous', address: request.address };
  };
}

/** The user who holds this API key. @throws Failure `unauthorized`. */
export function keyHolder(reader: GlobalReader, request: Pick<CallRequest, 'address'>, oauth: OauthCredentials): UserCaller {
  const token = reader.get('token', oauth.token);
  const user = token && reader.get('user', token.user);
  if (!token || !user || token.consumer !== oauth.consumerKey || !secretFits(oauth.secret, token.hash)) throw fail('unauthorized');
  return userCaller(request, user, 'key');
}

function registered(reader: GlobalReader, request: CallRequest, text: string, now: number): Caller {
  const found = readCaller(text, { method: request.method, path: request.url }, reader, now);
  if (!found) {
    const gone = readRetiredCaller(text, reader);
    throw gone ? fail('retired', { what: `${gone.role === 'cell' ? 'Cell' : 'Front'} ${gone.name}` }) : fail('unauthorized');
  }
  return { kind: 'cell', name: found.claims.name, number: found.number, role: found.claims.role, address: request.address };
}

function asserted({ reader, audience }: AuthenticationOptions, request: CallRequest, text: string, now: number): Caller {
  const user =
    audience === undefined ? undefined : readAssertion(text, { cell: audience, method: request.method, path: request.url }, reader, now);
  if (!user) throw fail('unauthorized');
  return { kind: 'user', username: user.username, userId: user.id, admin: user.admin, via: 'assertion', address: request.address };
}

function sessionHolder({ reader, sessionKey }: AuthenticationOptions, request: CallRequest, now: number): Caller | undefined {
  const keys = typeof sessionKey === 'function' ? sessionKey() : [{ key: sessionKey }];
  const bearer = /^Bearer\s+(\S+)$/i.exec(single(request, 'authorization') ?? '')?.[1];
  if (bearer !== undefined) {
    const session = readSession(bearer, keys, reader, now);
    if (!session) throw fail('unauthorized');
    return userCaller(request, session.user, 'session');
  }
  const cookie = sessionOfCookies(single(request, 'cookie') ?? '');
  // A cookie comes along unasked: a stale one must not stand in the way of signing in again. (Other sites' forgeries are the kernel's to stop.)
  const session = cookie === undefined ? undefined : readSession(cookie, keys, reader, now);
  return session && userCaller(request, session.user, 'session');
}

function userCaller(request: Pick<CallRequest, 'address'>, user: BodyOf<'user'>, via: UserCaller['via']): UserCaller {
  return { kind: 'user', username: user.username, userId: user.id, admin: user.is_superuser, via, address: request.address };
}

/** The text of a header that may be there once; undefined when it is missing or repeated. */
export function single(request: Pick<CallRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
