/** A small whole program for tests of the wire: the zones of the real table, held in memory, and one fixed key for each kind of caller. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { fail, invalid } from '../contract/errors.ts';
import { routes } from '../contract/routes.ts';
import type { RouteId, RouteReply } from '../contract/routes.ts';
import type { Authenticate, Caller, Handlers } from './handler.ts';
import { createServer } from './server.ts';
import type { Server, ServerOptions } from './server.ts';

export const exampleKeys = { admin: 'ck:admin:secret', user: 'ck:user:secret', machine: 'ck:machine:secret', cell: 'ck:cell:secret' };

const callers: Readonly<Record<string, (address: string) => Caller>> = {
  admin: (address) => ({ kind: 'user', username: 'root', userId: 1, admin: true, via: 'key', address }),
  user: (address) => ({ kind: 'user', username: 'ann', userId: 2, admin: false, via: 'key', address }),
  machine: (address) => ({ kind: 'machine', systemId: '334abcd', credential: 'system', address }),
  cell: (address) => ({ kind: 'cell', name: 'c1', number: 1, role: 'cell', address }),
};

/** Keys as in {@link exampleKeys}; the cookie `session=ann` is a session of ann. */
export const exampleAuthenticate: Authenticate = (request, oauth) => {
  if (oauth !== undefined) {
    const found = oauth.consumerKey === 'ck' && oauth.secret === 'secret' ? callers[oauth.token] : undefined;
    if (found === undefined) throw fail('unauthorized');
    return found(request.address);
  }
  if (request.headers['cookie'] === 'session=ann') {
    return { kind: 'user', username: 'ann', userId: 2, admin: true, via: 'session', address: request.address };
  }
  return { kind: 'anonymous', address: request.address };
};

const zoneRoutes = (Object.keys(routes) as RouteId[]).filter((id): id is ZoneRoute => id.startsWith('Zones.') || id.startsWith('Zone.'));
type ZoneRoute = Extract<RouteId, `Zones.${string}` | `Zone.${string}`>;

export function zoneHandlers(): Handlers<ZoneRoute> {
  const zones = new Map<string, RouteReply<'Zone.read'>>();
  const shown = (name: string): RouteReply<'Zone.read'> => {
    const zone = zones.get(name);
    if (zone === undefined) throw fail('not_found', { what: 'Zone' });
    return zone;
  };
  const make = (name: string, description: string, id: number) => ({
    id,
    name,
    description,
    resource_uri: `/MAAS/api/2.0/zones/${encodeURIComponent(name)}/`,
  });
  return {
    'Zones.read': () => [...zones.values()],
    'Zones.create': ({ params }) => {
      if (zones.has(params.name)) throw invalid({ name: ['Physical zone with this Name already exists.'] });
      const zone = make(params.name, params.description ?? '', zones.size + 1);
      zones.set(zone.name, zone);
      return zone;
    },
    'Zone.read': ({ path }) => shown(path.name),
    'Zone.update': ({ path, params }) => {
      const old = shown(path.name);
      const zone = make(params.name ?? old.name, params.description ?? old.description, old.id);
      zones.delete(old.name);
      zones.set(zone.name, zone);
      return zone;
    },
    'Zone.delete': ({ path }) => {
      zones.delete(path.name);
    },
  };
}

/** Log lines of a server, parsed. */
export function memoryLog() {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  return { lines, log: pino({ level: 'debug' }, sink) };
}

export type ExampleOptions = Partial<Omit<ServerOptions<ZoneRoute>, 'routeIds' | 'handlers'>>;

export function exampleProgram(options: ExampleOptions = {}): Server {
  return createServer({
    program: 'cell',
    version: '0.0.0',
    routeIds: zoneRoutes,
    handlers: zoneHandlers(),
    authenticate: exampleAuthenticate,
    log: memoryLog().log,
    checkReplies: true,
    ...options,
  });
}
