// A cell's handlers of networks and machines' parts over a real database, asked by HTTP without a socket: by an admin unless a test says
// otherwise. Machines are rows, as commissioning leaves them.
import { pino } from 'pino';
import { networkHandlers } from '../src/cell/api/network-handlers.ts';
import type { NetworkContext } from '../src/cell/api/network-context.ts';
import { spaceDoor, usageDoor } from '../src/cell/api/global-doors.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { claimDatabase, ensureDomain } from '../src/cell/db/cell-identity.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { lifecycle, type MachineState } from '../src/contract/lifecycle.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { Authority } from '../src/global/authority.ts';
import { ensureDefaults } from '../src/global/default-documents.ts';
import type { Draft } from '../src/global/draft.ts';
import { createGlobalHandlers } from '../src/global/global-handlers.ts';
import type { Caller } from '../src/http/handler.ts';
import { createServer } from '../src/http/server.ts';
import { testDatabase } from './postgres.ts';

export type Who = 'admin' | 'ann' | 'bob' | 'nobody' | 'machine';

const people: Readonly<Record<string, { readonly userId: number; readonly admin: boolean }>> = {
  admin: { userId: 2, admin: true },
  ann: { userId: 3, admin: false },
  bob: { userId: 4, admin: false },
};

function callerOf(who: string, address: string): Caller {
  const person = people[who];
  if (person) return { kind: 'user', username: who, ...person, via: 'key', address };
  return who === 'machine' ? { kind: 'machine', systemId: '334abcd', credential: 'system', address } : { kind: 'anonymous', address };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON, whatever the test knows it to be; undefined when it is none. */
  readonly body: ReturnType<typeof JSON.parse>;
}

export const cell = 17;

export interface NewMachine {
  readonly status?: MachineState;
  readonly owner?: string;
}

export async function networkServer(options: Partial<NetworkContext> = {}) {
  const database = await testDatabase<CellTables>([...migrationsOfCell], { maxConnections: 12 });
  const { db } = database;
  await claimDatabase(db, { number: cell, name: 'c17', keyFingerprint: 'test' });
  await ensureDomain(db, 'c17.example');
  const authority = await Authority.open(database);
  await ensureDefaults(authority);
  const global = authority.memory;
  const usage = usageDoor(db, () => global);
  const context: NetworkContext = {
    database,
    global,
    cellName: 'c17',
    cellNumber: cell,
    version: '0.1.0',
    serviceAddress: '10.40.1.1',
    url: 'http://10.40.1.1:5240',
    hub: undefined,
    lag: () => undefined,
    services: () => [{ name: 'dhcpd', status: 'running', status_info: '' }],
    ...options,
  };
  // Sign-in is not asked for here; the doors behind zones, pools and spaces are.
  const { 'Authenticate.create': _, ...globals } = createGlobalHandlers(
    { writer: authority, usage },
    { reader: global, spaces: spaceDoor(db, () => global) },
  );
  const handlers = { ...globals, ...networkHandlers(context) };
  const server = createServer({
    program: 'cell',
    version: '0.1.0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: (request) => callerOf(String(request.headers['x-as'] ?? 'admin'), request.address),
    log: pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' }),
    checkReplies: true,
  });

  /** `form`: keys of the body; a list is a repeated key. */
  async function ask(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    form?: Record<string, unknown>,
    who: Who = 'admin',
  ): Promise<Answer> {
    const pairs = Object.entries(form ?? {}).flatMap(([key, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => [key, String(one)]),
    );
    const query = method === 'GET' && form ? `${path.includes('?') ? '&' : '?'}${new URLSearchParams(pairs).toString()}` : '';
    const answer = await server.inject({
      method,
      url: `${path.startsWith('/') ? '' : '/MAAS/api/2.0/'}${path}${query}`,
      headers: { 'x-as': who, ...(method === 'GET' || !form ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
      ...(method === 'GET' || !form ? {} : { payload: new URLSearchParams(pairs).toString() }),
    });
    let body: unknown;
    try {
      body = JSON.parse(answer.body);
    } catch {
      body = undefined;
    }
    return { status: answer.statusCode, text: answer.body, body };
  }

  /** `ask` that must succeed; returns the body. */
  async function must(...given: Parameters<typeof ask>): Promise<Answer['body']> {
    const answer = await ask(...given);
    if (answer.status >= 300) throw new Error(`${given[0]} ${given[1]}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  let drawn = 0;
  async function machine({ status = 'ready', owner }: NewMachine = {}): Promise<string> {
    const n = (drawn += 1);
    const system_id = systemIdOf(cell, 1000 + n) ?? '';
    const domain = await db.selectFrom('domain').select('id').where('is_default', '=', true).executeTakeFirstOrThrow();
    await db
      .insertInto('machine')
      .values({ system_id, hostname: `host${n}`, domain_id: domain.id, status: lifecycle[status].number, owner: owner ?? null })
      .execute();
    return system_id;
  }

  for (const [username, { userId, admin }] of Object.entries(people)) {
    const user = { id: userId, username, email: '', is_superuser: admin, is_local: true, generation: 1 };
    await authority.write('access', 'test', (draft) => draft.put('user', userId, user));
  }
  const write = <T>(decide: (draft: Draft) => Promise<T> | T) => authority.write('config', 'admin', decide);
  return { database, db, global, authority, usage, write, ask, must, machine, drop: () => database.drop() };
}

export type NetworkServer = Awaited<ReturnType<typeof networkServer>>;
