// A cell's API without the rest of the cell: the real handlers over a real database, asked without a socket, or through a front with two
// more cells (test/through-front.ts). For tests of what the API answers; doors to BMCs, images and scripts are what the test says they are.
import { pino } from 'pino';
import type { ApiContext } from '../src/cell/api/api-context.ts';
import { networkHandlers } from '../src/cell/api/network-handlers.ts';
import { cellMigrations } from '../src/cell/cell-database.ts';
import { claimDatabase } from '../src/cell/db/cell-identity.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { machineApi } from '../src/cell/machine-api.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { lifecycle, type MachineState } from '../src/contract/lifecycle.ts';
import { globalMigrations } from '../src/global/migrations.ts';
import type { BodyOf, Kind } from '../src/global/kinds.ts';
import { streamOf } from '../src/global/kinds.ts';
import { GlobalMemory } from '../src/global/memory.ts';
import { createServer, type Server } from '../src/http/server.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { feedMigrations } from '../src/postgres/feed.ts';
import { apiContext, networkContext, cellName, cellNumber, type ContextOptions } from './api-context.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';
import { authenticateAt, inSendersContext, keyOf, openFleet, putPeople, through, type Fleet, type FleetOptions } from './through-front.ts';

export { image } from './api-context.ts';

const people = { admin: { userId: 1, admin: true }, ann: { userId: 2, admin: false }, bob: { userId: 3, admin: false } } as const;
export type Person = keyof typeof people;

export type Fields = Readonly<Record<string, string | readonly string[]>>;

export interface CellApi {
  readonly database: TestDatabase<CellTables>;
  readonly global: GlobalMemory;
  readonly context: ApiContext;
  readonly server: Server;
  /** The front and the other cells; undefined when the bare cell is asked. */
  readonly behind: Fleet | undefined;
  /** Send a request as somebody; `undefined` is nobody. Fields go into the query of GET and DELETE, else into a form. */
  ask(
    who: Person | undefined,
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    fields?: Fields,
    headers?: Record<string, string>,
  ): Promise<Reply>;
  /** `ask` of this cell itself, whatever this run goes through. */
  askCell: CellApi['ask'];
  put<K extends Kind>(kind: K, id: string | number, body: BodyOf<K>): void;
  /** Add a New machine through the API, with power by hand unless said otherwise. Returns its system_id. */
  add(fields?: Fields): Promise<string>;
  /** One that is in this state by its row alone. */
  addIn(state: MachineState, owner?: Person): Promise<string>;
  /** A MAC address that no other machine of this test has. */
  nextMac(): string;
  /** Make machines by SQL, all alike but for what `set` gives the n-th. Returns their system_ids. */
  fleet(count: number, set?: (n: number) => Readonly<Record<string, string | number | boolean | null>>): Promise<string[]>;
  close(): Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
  json<T = Record<string, unknown>>(): T;
}

export interface CellApiOptions extends Pick<ContextOptions, 'bmc' | 'killPoint' | 'destructive'>, Pick<FleetOptions, 'others'> {
  /** Whatever this run goes through. */
  readonly asked?: typeof through;
}

function encode(fields: Fields): string {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value]] : value.map((one) => [name, one]),
  );
  return new URLSearchParams(pairs as [string, string][]).toString();
}

/** Global config that a test puts there, without a database. */
export function memoryOf(): { memory: GlobalMemory; put: CellApi['put'] } {
  const memory = new GlobalMemory();
  let n = 0;
  const put: CellApi['put'] = (kind, id, body) => {
    n += 1;
    const revision = { epoch: 1, n };
    const stream = streamOf(kind);
    memory.apply({ stream, to: revision, whole: false, documents: [{ kind, id: String(id), stream, revision, retired: false, body }] });
  };
  return { memory, put };
}

export async function cellApi(options: CellApiOptions = {}): Promise<CellApi> {
  const database = await testDatabase<CellTables>([feedMigrations, globalMigrations, cellMigrations]);
  const { db } = database;
  const { memory, put } = memoryOf();
  const context = apiContext(database, memory, options);
  await claimDatabase(db, { number: cellNumber, name: cellName, keyFingerprint: context.secretKey.fingerprint });
  await db.insertInto('domain').values({ name: 'c17.example', is_default: true }).execute();
  await putPeople(put, people);
  put('zone', 1, { id: 1, name: 'default', description: '' });
  put('zone', 2, { id: 2, name: 'east', description: 'the east wing' });
  put('pool', 0, { id: 0, name: 'default', description: 'Default pool' });
  put('pool', 7, { id: 7, name: 'lab', description: '' });
  put('tag', 21, { id: 21, name: 'gpu', definition: '', comment: '', kernel_opts: '' });
  put('tag', 22, { id: 22, name: 'fast', definition: '', comment: '', kernel_opts: '' });
  const handlers = inSendersContext({ ...machineApi(context), ...networkHandlers(networkContext(context)) });
  const server = createServer({
    program: 'cell',
    version: '0.0.0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    log: pino({ level: 'error' }),
    checkReplies: true,
    authenticate: authenticateAt(memory, cellName),
  });
  const front = (options.asked ?? through) === 'front' ? await openFleet({ server, global: memory, put, ...options }) : undefined;
  let macs = 0;
  const nextMac = (): string =>
    `52:54:01:00:${String(Math.floor((macs += 1) / 100)).padStart(2, '0')}:${String(macs % 100).padStart(2, '0')}`;
  const send = async (
    behind: Fleet | undefined,
    ...[who, method, path, fields = {}, more = {}]: Parameters<CellApi['ask']>
  ): Promise<Reply> => {
    const isQuery = method === 'GET' || method === 'DELETE';
    const data = encode(fields);
    const plain = `/MAAS/api/2.0/${path}`;
    const url = isQuery && data !== '' ? `${plain}${plain.includes('?') ? '&' : '?'}${data}` : plain;
    const headers = {
      ...(who === undefined ? {} : { authorization: oauthHeader(keyOf(who)) }),
      ...(isQuery ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...more,
    };
    if (behind) {
      const sent = await behind.send(method, url, headers, isQuery ? undefined : data);
      return { ...sent, json: <T>() => JSON.parse(sent.text) as T };
    }
    const reply = await server.inject({ method, url, headers, ...(isQuery ? {} : { payload: data }) });
    return { status: reply.statusCode, text: reply.body, headers: reply.headers, json: () => reply.json() };
  };
  const api: CellApi = {
    database,
    global: memory,
    context,
    server,
    behind: front,
    put,
    nextMac,
    async add(fields = {}) {
      const reply = await api.ask('admin', 'POST', 'machines/', {
        mac_addresses: nextMac(),
        power_type: 'manual',
        commission: 'false',
        ...fields,
      });
      if (reply.status !== 200) throw new Error(`a machine could not be added: ${reply.status} ${reply.text}`);
      return reply.json<{ system_id: string }>().system_id;
    },
    async addIn(state, owner) {
      const id = await api.add();
      await db
        .updateTable('machine')
        .set({ status: lifecycle[state].number, owner: owner ?? null })
        .where('system_id', '=', id)
        .execute();
      return id;
    },
    ask: (...given) => send(front, ...given),
    askCell: (...given) => send(undefined, ...given),
    async fleet(count, set = () => ({})) {
      const { id } = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
      const ids: string[] = [];
      const rows = [];
      for (let n = 0; ids.length < count; n += 1) {
        const system_id = systemIdOf(cellNumber, n + 100_000);
        if (system_id === undefined) continue;
        rows.push({
          system_id,
          hostname: `node-${ids.length}`,
          domain_id: id,
          status: 4,
          cpu_count: 4,
          memory: 8192,
          power_type: 'manual',
          ...set(ids.length),
        });
        ids.push(system_id);
      }
      for (const row of rows) await db.insertInto('machine').values(row).execute();
      return ids;
    },
    async close() {
      await front?.close();
      await server.drain(100);
      await context.wakeups.close();
      await database.drop();
    },
  };
  return api;
}
