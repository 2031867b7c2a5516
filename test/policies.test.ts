/** Every route has a policy, and a real cell with nothing in it holds to it: strangers get in nowhere, and write nothing but an enlistment. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../e2e/sim-cell.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { basePaths, pathNames, type Route } from '../src/contract/route.ts';
import { routes } from '../src/contract/routes.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

const policies = ['anonymous', 'nonce', 'machine', 'user', 'admin', 'cell'];
const all = Object.entries(routes) as [string, Route][];
const folder = mkdtempSync(join(tmpdir(), 'muster-policies-'));
let database: TestDatabase<Record<string, never>>;
let cell: Cell;

beforeAll(async () => {
  database = await testDatabase(migrationsOfCell);
  cell = await startCell({
    config: {
      name: 'bare',
      site: 'muster',
      folder,
      database_url: database.url,
      service_address: '127.0.0.1',
      port: await freePort(),
      listen: [],
      rack: [],
      dhcp: false,
      tftp_port: 0,
      lease_seconds: 600,
      image_sources: [],
      kernel_parameters: '',
      boot_slots: 1,
      keep_events_days: 30,
    },
    version: '0',
    log: pino({ level: 'silent' }),
  });
  await cell.base.database.transaction((tx) => ensureRackSubnet(tx, '10.98.0.1/24', false));
}, 60_000);
afterAll(async () => {
  await cell.close();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Blanks of a path, filled with what could be there. */
function urlOf(route: Route): string {
  const value = (name: string): string =>
    name === 'version' ? 'latest' : name === 'system_id' ? 'hgb3333' : name === 'sha256' ? 'a'.repeat(64) : name.endsWith('id') ? '1' : 'x';
  const path = pathNames(route.path).reduce((text, name) => text.replace(`{${name}}`, value(name)), route.path);
  return `${basePaths[route.base]}${path}${route.op === null ? '' : `?op=${route.op}`}`;
}

const ask = (route: Route, headers: Record<string, string> = {}, payload?: string) =>
  cell.server.inject({
    method: route.method,
    url: urlOf(route),
    remoteAddress: '10.98.0.77',
    headers: { ...headers, ...(payload === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
    ...(payload === undefined ? {} : { payload }),
  });

/** Streams and long polls would not end by themselves. */
const endless = (route: Route): boolean => route.type === 'stream';

/** Rows of every table, with a digest of what they say. */
async function content(): Promise<string[]> {
  const { db } = cell.base.database;
  const { rows } = await sql<{
    name: string;
  }>`select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`.execute(db);
  const lines = [];
  for (const { name } of rows) {
    const found = await sql<{
      digest: string;
    }>`select count(*) || ' ' || md5(coalesce(string_agg(t::text, '' order by t::text), '')) as digest from ${sql.table(name)} t`.execute(
      db,
    );
    // The heartbeat of the process itself, which nobody asked for.
    if (name !== 'cell_process') lines.push(`${name} ${found.rows[0]?.digest}`);
  }
  return lines;
}

test('every route says who may use it; the anonymous ones that write are known by name', () => {
  for (const [id, route] of all) expect(policies, id).toContain(route.policy);
  const open = all
    .filter(([, route]) => (route.policy === 'anonymous' || route.policy === 'nonce') && route.method !== 'GET')
    .map(([id]) => id);
  expect(open.toSorted()).toEqual(openWrites);
});

/** What a stranger may send with POST: enlist, sign in, prove a nonce or a join token, and one that answers OK and does nothing. */
const openWrites = [
  'AgentCheckIn.create',
  'AgentEnlist.create',
  'Authenticate.create',
  'MetadataById.netboot_off',
  'ReplicaJoin.join',
  'Session.create',
];

const guarded = all.filter(([, route]) => route.policy !== 'anonymous' && route.policy !== 'nonce');
const refused = new Set<string>();

test.each(guarded)('%s refuses strangers and made-up keys', async (id, route) => {
  for (const headers of [{}, { authorization: oauthHeader('a:b:c') }, { authorization: 'Bearer x.y.z' }, { cookie: 'sessionid=x' }]) {
    const reply = await ask(route, headers, route.method === 'GET' || route.method === 'DELETE' ? undefined : 'a=b');
    // Only another program has it: there is no such route here.
    const isElsewhere = /^Unknown API endpoint|Unrecognised signature/.test(reply.body);
    expect(isElsewhere ? [400, 404, 405] : [401, 403], `${reply.statusCode} ${reply.body.slice(0, 200)}`).toContain(reply.statusCode);
    if (!isElsewhere) refused.add(id);
  }
});

test('all but what is the hub’s own are served by a cell that stands alone', () => {
  expect(
    guarded
      .map(([id]) => id)
      .filter((id) => !refused.has(id))
      .toSorted(),
  ).toEqual([
    // Joining: what a cell hands over is taken by the hub.
    'GlobalObjects.import',
    'GlobalObjects.plan',
    'HubKey.read',
    'HubKey.rotate',
    'ReplicaChanges.read',
    'ReplicaImage.read',
    'ReplicaSnapshot.read',
  ]);
});

test('nothing that a stranger sends changes a row, but enlisting on a VLAN that enlists', async () => {
  const before = await content();
  const guesses =
    'nonce=' +
    'a'.repeat(32) +
    '&boot_id=' +
    'b'.repeat(32) +
    '&mac=52:54:00:98:00:01&username=admin&password=x&token=x&name=x&description=x';
  let asked = 0;
  for (const [id, route] of all) {
    if (endless(route) || id === 'AgentEnlist.create' || id === 'AgentCheckIn.create') continue;
    for (const payload of route.method === 'GET' || route.method === 'DELETE' ? [undefined] : ['', guesses]) {
      const reply = await ask(route, {}, payload);
      expect(reply.statusCode, `${id}: ${reply.body.slice(0, 200)}`).toBeLessThan(500);
      asked += 1;
    }
  }
  expect(asked).toBeGreaterThan(200);
  expect(await content()).toEqual(before);

  // A wrong nonce leaves a finding and its event, and nothing else.
  expect((await ask(routes['AgentCheckIn.create'], {}, guesses)).statusCode).toBe(403);
  const changed = (await content()).filter((line) => !before.includes(line)).map((line) => line.split(' ')[0]);
  expect(changed).toEqual(['event', 'finding']);

  expect((await ask(routes['AgentEnlist.create'], {}, `${guesses}&architecture=amd64`)).statusCode).toBe(200);
  const enlisted = (await content()).filter((line) => !before.includes(line)).map((line) => line.split(' ')[0]);
  expect(enlisted).toEqual(['event', 'finding', 'interface', 'machine', 'node']);
});
