// The API of a test's cell asked through a real front, over sockets on loopback: the cell of the test and two more, each over a database of
// its own, joined by one replica and one key of a front. vitest's project `front` runs the tests of the cell's API this way, project `cell`
// runs the same files against the bare cell (vitest.config.ts): the same answers, ids aside.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { spaceDoor } from '../src/cell/api/global-doors.ts';
import { networkHandlers } from '../src/cell/api/network-handlers.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { claimDatabase, ensureDomain } from '../src/cell/db/cell-identity.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { machineApi } from '../src/cell/machine-api.ts';
import { cellOf, systemIdOf } from '../src/contract/ids.ts';
import { replicaRegistry } from '../src/front/cell-registry.ts';
import { replicaPlaces } from '../src/front/reach-place.ts';
import { startFront } from '../src/front/front.ts';
import type { Home } from '../src/front/home.ts';
import { openHubLine } from '../src/front/hub-line.ts';
import { assertingVouch } from '../src/front/vouch.ts';
import { hashSecret } from '../src/global/api-key.ts';
import type { Authority } from '../src/global/authority.ts';
import { createAuthenticate } from '../src/global/authentication.ts';
import { ownTls } from '../src/global/certificate.ts';
import { createGlobalHandlers, createGlobalReads } from '../src/global/global-handlers.ts';
import type { BodyOf, Kind } from '../src/global/kinds.ts';
import type { GlobalMemory } from '../src/global/memory.ts';
import { formatRevisions } from '../src/global/revision.ts';
import { fingerprintOf, generateSigningKey, type SigningKey } from '../src/global/signing-key.ts';
import { hubHandlers } from '../src/hub/hub.ts';
import type { LooseHandler } from '../src/http/dispatch.ts';
import type { Authenticate } from '../src/http/handler.ts';
import { createServer, type Server } from '../src/http/server.ts';
import { hubParts } from './hub-parts.ts';
import { apiContext, networkContext, cellName, cellNumber } from './api-context.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

/** Whom the tests of this run ask. */
export const through: 'cell' | 'front' = process.env['MUSTER_TEST_THROUGH'] === 'front' ? 'front' : 'cell';

/** The API key of a user of the tests: `ck:ann:secret`. */
export const keyOf = (who: string): string => `ck:${who}:secret`;

type Put = <K extends Kind>(kind: K, id: string | number, body: BodyOf<K>) => unknown;

/** Write the users of a test, each with the key {@link keyOf}. */
export async function putPeople(
  put: Put,
  people: Readonly<Record<string, { readonly userId: number; readonly admin: boolean }>>,
): Promise<void> {
  for (const [username, { userId, admin }] of Object.entries(people)) {
    await put('user', userId, { id: userId, username, email: '', is_superuser: admin, is_local: true, generation: 1 });
    await put('token', username, { user: userId, consumer: 'ck', hash: hashSecret('secret'), name: '' });
  }
}

/** How the test's cell knows its callers: keys, and assertions of fronts. */
export function authenticateAt(memory: GlobalMemory, audience: string): Authenticate {
  return createAuthenticate({ reader: memory, audience, sessionKey: generateSigningKey().publicKey });
}

/** Contexts in which requests were sent, by request id. */
const senders = new Map<string, ReturnType<typeof AsyncLocalStorage.snapshot>>();

/**
 * Handlers that run in the async context of whoever sent the request, though it came by a socket: so `countStatements` sees what a request
 * costs its cell, also behind a front.
 */
export function inSendersContext<H extends object>(handlers: H): H {
  const wrapped = Object.entries(handlers as Record<string, LooseHandler>).map(([id, handler]): [string, LooseHandler] => [
    id,
    (call) => {
      const inContext = senders.get(call.request.id);
      return inContext === undefined ? handler(call) : inContext(() => handler(call));
    },
  ]);
  return Object.fromEntries(wrapped) as H;
}

export interface Sent {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Fleet {
  /** The front's. */
  readonly url: string;
  /** The two other cells. `stop` ends one: it does not answer any more. */
  readonly others: readonly { readonly database: TestDatabase<CellTables>; stop(): Promise<void> }[];
  /**
   * Send a request to the front. One that is created and could be in any cell is asked for once more with `cell=`; rows of the other cells
   * are taken out of lists, and that they were there is seen to by test/merged-lists.test.ts.
   */
  send(method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<Sent>;
  close(): Promise<void>;
}

export interface FleetOptions {
  /** The test's cell, with {@link authenticateAt} and {@link inSendersContext}; left out: one like the others. */
  readonly server?: Server;
  readonly global: GlobalMemory;
  readonly put: Put;
  /** Who writes what is global; without it this fleet has no hub. */
  readonly authority?: Authority;
  /** The hub's key, which signs sessions; one of its own when not given. */
  readonly hubKey?: SigningKey;
  /**
   * What the other cells have. Default `something`: a machine, a network and a finding each, which are taken out of lists again. `empty`: nothing.
   * `mine`: what the test puts there, and nothing is taken out.
   */
  readonly others?: 'empty' | 'something' | 'mine';
}

const log = pino({ level: process.env['MUSTER_TEST_LOG'] ?? 'silent' });

interface OtherCell {
  readonly server: Server;
  readonly database: TestDatabase<CellTables>;
  close(): Promise<void>;
}

async function openOtherCell(number: number, global: GlobalMemory): Promise<OtherCell> {
  const database = await testDatabase<CellTables>(migrationsOfCell, { maxConnections: 3 });
  const name = `c${number}`;
  await claimDatabase(database.db, { number, name, keyFingerprint: 'test' });
  await ensureDomain(database.db, `${name}.example`);
  const context = apiContext(database, global, { number, name });
  const network = networkContext(context, { hub: 'https://hub.example:5242', lag: () => 0 });
  const handlers = inSendersContext({
    ...createGlobalHandlers({ hub: 'https://hub.example:5242' }, { reader: global, spaces: spaceDoor(database.db, () => global) }),
    ...machineApi(context),
    ...networkHandlers(network),
  });
  const server = createServer({
    program: 'cell',
    version: '0.1.0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: authenticateAt(global, name),
    log,
    checkReplies: true,
  });
  const close = async (): Promise<void> => {
    await server.drain(0);
    await context.wakeups.close();
    await database.drop();
  };
  return { server, database, close };
}

/** A deployed machine on a subnet, with an event and a finding: something that lists could show by mistake. */
async function furnish({ db }: TestDatabase<CellTables>, number: number): Promise<void> {
  const domain = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const system_id = systemIdOf(number, 150_000) ?? '';
  await db
    .insertInto('machine')
    .values({ system_id, hostname: `other-${number}`, domain_id: domain.id, status: 6, owner: 'zoe', power_type: 'manual' })
    .execute();
  const fabric = await db.insertInto('fabric').values({ name: 'fabric-0' }).returning('id').executeTakeFirstOrThrow();
  const vlan = await db
    .insertInto('vlan')
    .values({ fabric_id: fabric.id, vid: 0, name: 'untagged' })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db.insertInto('subnet').values({ vlan_id: vlan.id, cidr: '172.31.0.0/16', name: 'other' }).execute();
  await db.insertInto('finding').values({ kind: 'foreign_data', subject: 'other', text: 'other' }).execute();
}

/** A hub over the authority of a test, and a front's line to it. Everybody reads the authority's own memory, so every write has settled. */
async function openHub(stack: AsyncDisposableStack, authority: Authority, key: SigningKey): Promise<Home['hub']> {
  const handlers = hubHandlers(hubParts(authority, key, '0.1.0'));
  const server = createServer({
    program: 'hub',
    version: '0.1.0',
    routeIds: Object.keys(handlers) as (keyof typeof handlers)[],
    handlers,
    authenticate: createAuthenticate({ reader: authority.memory, audience: 'hub', sessionKey: key.publicKey }),
    revision: () => formatRevisions(authority.memory),
    log,
    checkReplies: true,
  });
  stack.defer(() => server.drain(0));
  const { url } = await server.listen({ host: '127.0.0.1', port: 0, tls: ownTls(key, 'muster hub') });
  const print = fingerprintOf(key.text);
  const pin = { wanted: () => print, fits: (shown: string | undefined) => shown === print, renew: async () => undefined };
  return { line: stack.use(openHubLine([url], pin, 5_000, () => undefined)), reader: authority.memory };
}

/** What a front that has joined knows, from the memory that all share here. */
function homeOf(key: SigningKey, global: GlobalMemory, hub: Home['hub'], hubKey: SigningKey): Home {
  return {
    name: 'f1',
    registry: replicaRegistry(global),
    authenticate: createAuthenticate({ reader: global, audience: undefined, sessionKey: hubKey.publicKey }),
    vouch: assertingVouch(global, key, 'f1', Date.now),
    reads: new Map(Object.entries(createGlobalReads({ reader: global }) as unknown as Record<string, LooseHandler>)),
    hub,
    places: replicaPlaces(global),
    revision: () => '',
    lag: () => 0,
    unready: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A list without the rows of other cells; anything else as it is. */
function withoutOthers(text: string): string {
  if (!text.startsWith('[')) return text;
  const foreign = (row: unknown): boolean => {
    const { system_id, id } = row as { system_id?: unknown; id?: unknown };
    const number = cellOf((system_id ?? id) as string | number);
    return number !== undefined && number !== 0 && number !== cellNumber;
  };
  const rows = JSON.parse(text) as unknown[];
  return rows.some(foreign) ? JSON.stringify(rows.filter((row) => !foreign(row))) : text;
}

/** Open the sockets of the test's cell, two more cells, a hub if there is an authority, and a front over all of it. */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { server, global, put, authority, others: furniture = 'something' } = options;
  const key = generateSigningKey();
  await put('front', 1, { number: 1, name: 'f1', key: key.text, url: '' });
  const others = await Promise.all([cellNumber + 1, cellNumber + 2].map((number) => openOtherCell(number, global)));
  if (furniture === 'something') for (const [at, { database }] of others.entries()) await furnish(database, cellNumber + 1 + at);
  const mine = server === undefined ? await openOtherCell(cellNumber, global) : undefined;
  for (const [at, program] of [server ?? mine!.server, ...others.map((other) => other.server)].entries()) {
    const { url } = await program.listen({ host: '127.0.0.1', port: 0 });
    const number = cellNumber + at;
    await put('cell', number, { number, name: `c${number}`, key: key.text, url, out: false });
  }
  const stack = new AsyncDisposableStack();
  const hubKey = options.hubKey ?? generateSigningKey();
  const home = homeOf(key, global, authority === undefined ? undefined : await openHub(stack, authority, hubKey), hubKey);
  const config = {
    folder: '/nowhere',
    listen: ['127.0.0.1'],
    port: 0,
    cells: [],
    gather_ms: 5_000,
    call_ms: 20_000,
    hub_ms: 5_000,
    allocate: 'best' as const,
    ask_sample: 8,
    retries: 0.1,
    connections: 64,
  };
  const front = await startFront({ config, version: '0.1.0', log, home, checkReplies: true });

  const once = async (method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<Sent> => {
    const id = randomUUID();
    senders.set(id, AsyncLocalStorage.snapshot());
    try {
      const reply = await fetch(front.url + path, {
        method,
        headers: { ...headers, 'x-request-id': id },
        ...(body === undefined ? {} : { body }),
      });
      const text = await reply.text();
      return { status: reply.status, text, headers: Object.fromEntries(reply.headers) };
    } finally {
      senders.delete(id);
    }
  };
  return {
    url: front.url,
    others: others.map((other) => ({ database: other.database, stop: () => other.server.drain(0) })),
    async send(method, path, headers, body) {
      const first = await once(method, path, headers, body);
      const unplaced = first.headers['muster-error'] === 'unplaced';
      const placed = new URLSearchParams([...new URLSearchParams(body), ['cell', cellName]]).toString();
      const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
      const sent = unplaced ? await once(method, path, form, placed) : first;
      return furniture === 'mine' ? sent : { ...sent, text: withoutOthers(sent.text) };
    },
    async close() {
      await front.close(0);
      await stack.disposeAsync();
      await Promise.all([...others, ...(mine ? [mine] : [])].map((other) => other.close()));
    },
  };
}
