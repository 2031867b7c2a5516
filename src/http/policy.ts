/** May this caller use this route? Decided from the matched route, never from the path's text. */
import { fail } from '../contract/errors.ts';
import type { Failure } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import type { Caller } from './handler.ts';

/** Why not; undefined when it may. Nobody known: 401. Somebody else: 403. */
export function refusal(policy: Route['policy'], caller: Caller): Failure | undefined {
  if (policy === 'anonymous' || policy === 'nonce') return undefined;
  if (caller.kind === 'anonymous') return fail('no_credentials');
  if (policy === 'user' || policy === 'admin') {
    return caller.kind === 'user' && (policy === 'user' || caller.admin) ? undefined : fail('forbidden');
  }
  return caller.kind === policy ? undefined : fail('forbidden');
}

/**
 * A write by a browser's session must come from our own pages: browsers say so in `Sec-Fetch-Site`, or in `Origin`. Programs that send
 * neither are not browsers and cannot be tricked into sending a cookie.
 */
export function crossSite(method: string, headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = headers['origin'];
  if (typeof origin !== 'string') return false;
  try {
    return new URL(origin).host !== headers['host'];
  } catch {
    return true;
  }
}

/** For logs: who, without anything secret. */
export function callerName(caller: Caller | undefined): string {
  if (caller === undefined) return 'unknown';
  if (caller.kind === 'user') return `user:${caller.username}`;
  if (caller.kind === 'machine') return `machine:${caller.systemId}`;
  return caller.kind === 'cell' ? `${caller.role}:${caller.name}` : 'anonymous';
}
