// A cell's handlers of networks and machines' parts over a real database, asked by HTTP without a socket, or through a front with a hub and
// two more cells (test/through-front.ts): by an admin unless a test says otherwise. Machines are rows, as commissioning leaves them.
import { pino } from 'pino';
import { networkHandlers } from '../src/cell/api/network-handlers.ts';
import type { NetworkContext } from '../src/cell/api/network-context.ts';
import { spaceDoor, usageDoor } from '../src/cell/api/global-doors.ts';
import { machineApi } from '../src/cell/machine-api.ts';
import { networkDoors } from '../src/cell/network-doors.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { claimDatabase, ensureDomain } from '../src/cell/db/cell-identity.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { lifecycle, type MachineState } from '../src/contract/lifecycle.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { Authority } from '../src/global/authority.ts';
import { ensureDefaults } from '../src/global/default-documents.ts';
import type { Draft } from '../src/global/draft.ts';
import { streamOf } from '../src/global/kinds.ts';
import { createGlobalHandlers } from '../src/global/global-handlers.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { createServer } from '../src/http/server.ts';
import { apiContext, cellNumber } from './api-context.ts';
import { testDatabase } from './postgres.ts';
import { authenticateAt, inSendersContext, keyOf, openFleet, putPeople, through, type FleetOptions } from './through-front.ts';

export type Who = 'admin' | 'ann' | 'bob' | 'nobody' | 'machine';

const people: Readonly<Record<string, { readonly userId: number; readonly admin: boolean }>> = {
  admin: { userId: 2, admin: true },
  ann: { userId: 3, admin: false },
  bob: { userId: 4, admin: false },
};

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body as JSON, whatever the test knows it to be; undefined when it is none. */
  readonly body: ReturnType<typeof JSON.parse>;
}

export { cellNumber as cell } from './api-context.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
type Form = Record<string, unknown>;

function jsonOf(text: string): ReturnType<typeof JSON.parse> {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface NewMachine {
  readonly status?: MachineState;
  readonly owner?: string;
}

export async function networkServer({ others, ...options }: Partial<NetworkContext> & Pick<FleetOptions, 'others'> = {}) {
  const database = await testDatabase<CellTables>([...migrationsOfCell], { maxConnections: 12 });
  const { db } = database;
  await claimDatabase(db, { number: cellNumber, name: 'c17', keyFingerprint: 'test' });
  await ensureDomain(db, 'c17.example');
  const authority = await Authority.open(database);
  await ensureDefaults(authority);
  const global = authority.memory;
  const usage = usageDoor(db, () => global);
  const machines = apiContext(database, global);
  const context: NetworkContext = {
    ...machines,
    version: '0.1.0',
    serviceAddress: '10.40.1.1',
    url: 'http://10.40.1.1:5240',
    hub: undefined,
    lag: () => undefined,
    state: () => 'in',
    load: () => ({ cpu: 0, delay: 0 }),
    services: () => [{ name: 'dhcpd', status: 'running', status_info: '' }],
    ...networkDoors(),
    ...options,
  };
  // Sign-in is not asked for here; the doors behind zones, pools and spaces are.
  const { 'Authenticate.create': _, ...globals } = createGlobalHandlers(
    { writer: authority, usage },
    { reader: global, spaces: spaceDoor(db, () => global) },
  );
  const handlers = inSendersContext({ ...globals, ...machineApi(machines), ...networkHandlers(context) });
  const authenticate = authenticateAt(global, 'c17');
  const server = createServer({
    program: 'cell',
    version: '0.1.0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: (request, oauth) =>
      oauth?.token === 'machine'
        ? { kind: 'machine', systemId: '334abcd', credential: 'system', address: request.address }
        : authenticate(request, oauth),
    log: pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' }),
    checkReplies: true,
  });

  const put: FleetOptions['put'] = (kind, id, body) => authority.write(streamOf(kind), 'test', (draft) => draft.put(kind, id, body));
  await putPeople(put, people);
  const front = through === 'front' ? await openFleet({ server, global, put, authority, ...(others ? { others } : {}) }) : undefined;

  async function send(isBehind: boolean, method: Method, path: string, form?: Form, who: Who = 'admin'): Promise<Answer> {
    const pairs = Object.entries(form ?? {}).flatMap(([key, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => [key, String(one)]),
    );
    const data = new URLSearchParams(pairs).toString();
    const query = method === 'GET' && form ? `${path.includes('?') ? '&' : '?'}${data}` : '';
    const url = `${path.startsWith('/') ? '' : '/MAAS/api/2.0/'}${path}${query}`;
    const hasBody = method !== 'GET' && form !== undefined;
    const headers = {
      ...(who === 'nobody' ? {} : { authorization: oauthHeader(keyOf(who)) }),
      ...(hasBody ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
    };
    // Machines know their cell and no front.
    if (front && isBehind && who !== 'machine') {
      const sent = await front.send(method, url, headers, hasBody ? data : undefined);
      return { status: sent.status, text: sent.text, body: jsonOf(sent.text) };
    }
    const answer = await server.inject({ method, url, headers, ...(hasBody ? { payload: data } : {}) });
    return { status: answer.statusCode, text: answer.body, body: jsonOf(answer.body) };
  }

  /** `form`: keys of the body; a list is a repeated key. */
  const ask = (method: Method, path: string, form?: Form, who?: Who): Promise<Answer> => send(true, method, path, form, who);
  /** `ask` of this cell itself, whatever this run goes through. */
  const askCell = (method: Method, path: string, form?: Form, who?: Who): Promise<Answer> => send(false, method, path, form, who);

  /** An ask that must succeed; returns the body. */
  const must = (...given: Parameters<typeof ask>) => succeed(true, ...given);
  const mustCell = (...given: Parameters<typeof ask>) => succeed(false, ...given);
  async function succeed(isBehind: boolean, ...given: Parameters<typeof ask>): Promise<Answer['body']> {
    const answer = await send(isBehind, ...given);
    if (answer.status >= 300) throw new Error(`${given[0]} ${given[1]}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  let drawn = 0;
  async function machine({ status = 'ready', owner }: NewMachine = {}): Promise<string> {
    const n = (drawn += 1);
    const system_id = systemIdOf(cellNumber, 1000 + n) ?? '';
    const domain = await db.selectFrom('domain').select('id').where('is_default', '=', true).executeTakeFirstOrThrow();
    await db
      .insertInto('machine')
      .values({ system_id, hostname: `host${n}`, domain_id: domain.id, status: lifecycle[status].number, owner: owner ?? null })
      .execute();
    return system_id;
  }

  const write = <T>(decide: (draft: Draft) => Promise<T> | T) => authority.write('config', 'admin', decide);
  const drop = async (): Promise<void> => {
    await front?.close();
    await server.drain(0);
    await machines.wakeups.close();
    await database.drop();
  };
  return { database, db, global, authority, usage, write, ask, askCell, must, mustCell, machine, drop };
}

export type NetworkServer = Awaited<ReturnType<typeof networkServer>>;
