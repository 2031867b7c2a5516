/**
 * The home of a front without a hub. Nobody can vouch for callers then, so the caller's own credentials go on to the cells, unchanged, and the
 * first cell that answers says who it is. Use it only where one hand runs all of these cells: each of them sees what the caller signs with.
 */
import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { fail } from '../contract/errors.ts';
import { routes } from '../contract/routes.ts';
import type { Authenticate, Caller, CallRequest } from '../http/handler.ts';
import { oauthHeader } from '../http/oauth.ts';
import { routePath } from '../http/client.ts';
import { jsonOf } from './answers.ts';
import { Absent, type CellLine } from './cell-line.ts';
import { fixedRegistry } from './cell-registry.ts';
import type { FrontConfig } from './config.ts';
import type { Home } from './home.ts';

const isUser = Compile(Type.Object({ username: Type.String(), is_superuser: Type.Boolean() }));
/** Milliseconds for which an answer is believed: a revoked key works so much longer here, but never at a cell. */
const believedMs = 5_000;
const mostKnown = 1_000;

type Credentials = Readonly<Record<string, string>>;

/** `line` is given late: it needs the registry, and authentication needs it. */
export function fixedHome(config: FrontConfig, line: () => CellLine): Home {
  const registry = fixedRegistry(config.cells);
  const credentials = new WeakMap<CallRequest, Credentials>();
  const known = new Map<string, { readonly until: number; readonly username: string; readonly admin: boolean }>();
  const path = `${routePath(routes['Users.whoami'], {})}?op=whoami`;

  const whoIs = async (request: CallRequest, own: Credentials): Promise<{ username: string; admin: boolean }> => {
    for (const cell of registry.list()) {
      try {
        const headers = { 'x-request-id': request.id, ...own };
        const reply = await line().send(
          cell,
          { method: 'GET', path, headers, body: undefined },
          { ms: config.gather_ms, signal: request.signal },
        );
        if (reply.status === 200) {
          const user = await jsonOf(reply);
          if (isUser.Check(user)) return { username: user.username, admin: user.is_superuser };
        } else reply.body.destroy();
        if (reply.status === 401) throw fail('unauthorized');
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
      }
    }
    throw fail('cell_absent', {
      cell: registry
        .list()
        .map((cell) => cell.name)
        .join(','),
    });
  };

  const authenticate: Authenticate = async (request, oauth): Promise<Caller> => {
    const { authorization, cookie } = request.headers;
    const own: Credentials = oauth
      ? { authorization: oauthHeader(`${oauth.consumerKey}:${oauth.token}:${oauth.secret}`) }
      : {
          ...(typeof authorization === 'string' ? { authorization } : {}),
          ...(typeof cookie === 'string' ? { cookie } : {}),
        };
    if (Object.keys(own).length === 0) return { kind: 'anonymous', address: request.address };
    const secret = oauth ? `${oauth.consumerKey}:${oauth.token}:${oauth.secret}` : JSON.stringify(own);
    const mark = createHash('sha256').update(secret).digest('hex');
    let user = known.get(mark);
    if (!user || user.until < Date.now()) {
      // A browser's stale cookie is no reason to refuse it: it has come to sign in again.
      const found = await whoIs(request, own).catch((error: unknown) => {
        if (own['authorization'] === undefined && (error as { code?: unknown }).code === 'unauthorized') return undefined;
        throw error;
      });
      if (!found) return { kind: 'anonymous', address: request.address };
      user = { ...found, until: Date.now() + believedMs };
      if (known.size >= mostKnown) known.clear();
      known.set(mark, user);
    }
    credentials.set(request, own);
    const via = own['authorization'] === undefined || /^bearer/i.test(own['authorization']) ? 'session' : 'key';
    return { kind: 'user', username: user.username, userId: 0, admin: user.admin, via, address: request.address };
  };

  return {
    name: 'front',
    registry,
    authenticate,
    vouch: ({ request }) => credentials.get(request) ?? {},
    reads: new Map(),
    hub: undefined,
    places: { cellOfDomain: () => undefined, cellOfZone: () => undefined },
    revision: () => '',
    lag: () => undefined,
    unready: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
