/** Two processes of one cell over one PostgreSQL: joining, what they share, what one takes over from the other, and that both are one cell. */
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, simulatedImages, type ServedImages } from '../e2e/sim-cell.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import type { CellConfig } from '../src/cell/config.ts';
import { claimDue } from '../src/cell/db/operation-store.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { beat, dhcpNames, registerProcess, saveDhcpNames } from '../src/cell/db/process-store.ts';
import { readSecretKey } from '../src/cell/db/secret-key.ts';
import { readSharedFile } from '../src/cell/db/shared-file-store.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { isNamed } from '../src/cell/dhcp-care.ts';
import { shareFiles } from '../src/cell/shared-files.ts';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { Authority } from '../src/global/authority.ts';
import { createFirstAdmin } from '../src/global/default-documents.ts';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import { openDatabase, type Database } from '../src/postgres/database.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

const log = pino({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'muster-processes-'));
const addresses = ['127.0.52.1', '127.0.52.2'];
let port = 0;
let database: TestDatabase<CellTables>;
let images: ServedImages;
let cells: Cell[];
let clients: Client[];
let key = '';

const home = (name: string): string => join(folder, name);
const configOf = (name: string, address: string, more: Partial<CellConfig> = {}): CellConfig => ({
  name: 'pair',
  site: 'muster',
  folder: home(name),
  database_url: database.url,
  service_address: address,
  service_addresses: addresses,
  process_name: name,
  port,
  listen: [],
  rack: [],
  dhcp: false,
  tftp_port: 0,
  lease_seconds: 600,
  image_sources: [],
  kernel_parameters: 'console=ttyS0',
  boot_slots: 64,
  keep_events_days: 30,
  ...more,
});
const start = (config: CellConfig): Promise<Cell> => startCell({ config, version: '0', log, checkReplies: true });
/** A data folder as an operator makes it for a further process. */
function newFolder(name: string): void {
  mkdirSync(home(name), { recursive: true, mode: 0o700 });
  cpSync(join(home('a'), 'secret.key'), join(home(name), 'secret.key'));
}
async function until<T>(what: string, look: () => Promise<T | undefined | false>, withinMs = 20_000): Promise<T> {
  for (const end = Date.now() + withinMs; ; await sleep(50)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
  }
}

beforeAll(async () => {
  database = await testDatabase<CellTables>();
  images = await simulatedImages(join(folder, 'built'), 1);
  port = await freePort();
  const a = await start(configOf('a', addresses[0]!, { images: images.folder }));
  await database.transaction((tx) => ensureRackSubnet(tx, '127.53.255.254/16', false));
  key = (await createFirstAdmin(await Authority.open(a.base.database)))!.apiKey;
  // Something that a restored database would have lost.
  const params = { mac_addresses: ['52:54:00:52:99:01'], architecture: 'amd64/generic', power_type: 'manual', commission: false };
  await until('the admin', async () => a.global.reader.named('user', 'admin'));
  await createClient({ url: a.url, key }).call('Machines.create', {}, params);
  newFolder('b');
  const b = await start(configOf('b', addresses[1]!));
  cells = [a, b];
  clients = addresses.map((address) => createClient({ url: `http://${address}:${port}`, key }));
  await until('images', async () => (await clients[1]!.call('BootResources.read', {}, {})).length >= 2);
}, 60_000);
afterAll(async () => {
  await Promise.all((cells ?? []).map((cell) => cell.close()));
  await database?.drop();
  await images?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test('a new process with nothing but secret.key is vouched for by a live one, and takes key and number from the database', () => {
  expect(cells.map((cell) => cell.base.epoch.decision.kind)).toEqual(['fresh', 'same']);
  expect(cells[1]!.number).toBe(cells[0]!.number);
  expect(readFileSync(join(home('b'), 'signing-key.pem'), 'utf8')).toBe(readFileSync(join(home('a'), 'signing-key.pem'), 'utf8'));
});

test('both are shown as racks, each with its address', async () => {
  const racks = await racksOf(1);
  expect(racks.map((rack) => [rack.hostname, rack.ip_addresses])).toEqual([
    ['pair-1', [addresses[0]]],
    ['pair-2', [addresses[1]]],
  ]);
  expect(new Set(racks.map((rack) => rack.system_id)).size).toBe(2);
  expect(racks.flatMap((rack) => rack.service_set.filter((one) => one.name === 'http').map((one) => one.status))).toEqual([
    'running',
    'running',
  ]);
});

test('a wrong secret.key, the same data folder, and another signing key are refused with what to do', async () => {
  mkdirSync(home('wrong'), { recursive: true, mode: 0o700 });
  await expect(start(configOf('wrong', '127.0.52.3'))).rejects.toThrow(/another secret.key .* restore the secret.key/);
  await expect(start(configOf('a', '127.0.52.3'))).rejects.toThrow(
    /in use by process .* data folder of its own, a copy of secret.key, and database_url/,
  );
  newFolder('other');
  rmSync(join(home('other'), 'signing-key.pem'), { force: true });
  writeFileSync(
    join(home('other'), 'signing-key.pem'),
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    { mode: 0o600 },
  );
  await expect(start(configOf('other', '127.0.52.3'))).rejects.toThrow(
    /signing-key.pem .* is not what another process .* Stop that process first/,
  );
}, 40_000);

test('a membership that a folder lacks is taken from the database, with nobody alive to vouch for it, and never taken out of it', async () => {
  const other = await testDatabase<CellTables>(migrationsOfCell);
  try {
    const { db } = other;
    const nobody = () => Promise.resolve(false);
    const place = async (name: string) => ({ db, folder: home(name), key: await readSecretKey(home(name)) });
    const file = (name: string): string => join(home(name), 'membership.json');
    for (const name of ['p1', 'p2']) {
      newFolder(name);
      await shareFiles(await place(name), nobody);
    }
    // The cell joins a hub by its first process; the second one was last started before that.
    const joined = JSON.stringify({ role: 'cell', name: 'pair', number: 7, hub: 'https://hub' });
    writeFileSync(file('p1'), joined, { mode: 0o600 });
    await shareFiles(await place('p1'), nobody);
    await shareFiles(await place('p2'), nobody);
    expect(readFileSync(file('p2'), 'utf8')).toBe(joined);
    // One process alone that has lost nothing but this file.
    rmSync(file('p1'));
    await shareFiles(await place('p1'), nobody);
    expect(readFileSync(file('p1'), 'utf8')).toBe(joined);
    // With another signing key it is of no use, and stays where it is.
    newFolder('p3');
    const stranger = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(join(home('p3'), 'signing-key.pem'), stranger, { mode: 0o600 });
    await expect(shareFiles(await place('p3'), nobody)).rejects.toThrow(/not the one with which this cell joined its hub/);
    const { db: at, key: opens } = await place('p1');
    expect(await readSharedFile(at, opens, 'membership.json')).toBe(joined);
    expect(await readSharedFile(at, opens, 'signing-key.pem')).not.toBe(stranger);
  } finally {
    await other.drop();
  }
});

test('a session, a key and its revocation hold at both', async () => {
  const made = await clients[0]!.call('Account.create_authorisation_token', {}, { name: 'second' });
  const token = `${made.consumer_key}:${made.token_key}:${made.token_secret}`;
  const other = createClient({ url: `http://${addresses[1]}:${port}`, key: token });
  // At once: whoever has the key in hand may use it anywhere.
  await other.call('Users.whoami', {}, {});
  await clients[1]!.call('Account.delete_authorisation_token', {}, { token_key: made.token_key });
  const first = createClient({ url: `http://${addresses[0]}:${port}`, key: token });
  const refused = await until(
    'the revocation at the first process',
    () =>
      first.call('Users.whoami', {}, {}).then(
        () => undefined,
        (error: unknown) => (error instanceof ApiError ? error.status : undefined),
      ),
    1000,
  );
  expect(refused).toBe(401);
});

test('one Idempotency-Key at both at the same moment: one machine, answered alike', async () => {
  for (let round = 0; round < 8; round += 1) {
    const ids = await Promise.all([makeMachine(round, 'race-a'), makeMachine(round, 'race-b')]);
    const asked = { tags: [], mem: [1000] };
    const replies = await Promise.all(
      clients.map((client) => client.call('Machines.allocate', {}, asked, { idempotencyKey: `race-${round}` })),
    );
    expect(replies[0]!.system_id).toBe(replies[1]!.system_id);
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from machine where owner is not null and system_id = any (${ids}::text[])`.execute(database.db);
    expect(rows[0]!.n).toBe(1);
    await sql`delete from machine where system_id = any (${ids}::text[])`.execute(database.db);
  }
});

/** What a process says of all of them, by their names: lists go by id. */
const racksOf = async (asked: 0 | 1) =>
  (await clients[asked]!.call('RackControllers.read', {}, {})).toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));

/** A Ready machine by its row alone. */
async function makeMachine(number: number, name: string): Promise<string> {
  const system_id = systemIdOf(cells[0]!.number, 200_010 + 2 * number + (name === 'race-a' ? 0 : 1)) ?? '';
  const { id } = await database.db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const values = { system_id, hostname: `${name}-${number}`, domain_id: id, status: 4, cpu_count: 4, memory: 4096, power_type: 'manual' };
  await database.db.insertInto('machine').values(values).execute();
  return system_id;
}

test('what one process writes is read at the other at once', async () => {
  const [machine] = await clients[1]!.call('Machines.read', {}, {});
  const path = { system_id: machine!.system_id! };
  for (let n = 0; n < 20; n += 1) {
    await clients[n % 2]!.call('Machine.update', path, { description: `note ${n}` });
    expect(((await clients[1 - (n % 2)]!.call('Machine.read', path, {})) as { description?: string }).description).toBe(`note ${n}`);
  }
});

test('an image that one process has is fetched by the other from it, and served by both', async () => {
  // No other source is configured: what arrives came from the first process.
  const digests = async (process: string): Promise<string[]> => {
    const { rows } = await sql<{ sha256: string }>`
      select i.sha256 from cell_process_image i join cell_process p on p.id = i.process_id where p.name = ${process} order by 1`.execute(
      database.db,
    );
    return rows.map((row) => row.sha256);
  };
  const has = await until('the first says what it has', async () => ((await digests('a')).length >= 3 ? digests('a') : undefined), 30_000);
  await until('the second has it too', async () => (await digests('b')).join() === has.join(), 40_000);
  for (const sha256 of has) {
    const bodies = await Promise.all(
      addresses.map(async (address) => Buffer.from(await (await fetch(`http://${address}:${port}/boot/file/${sha256}/x`)).arrayBuffer())),
    );
    expect(bodies[0]!.length).toBeGreaterThan(1000);
    expect(bodies[1]!.equals(bodies[0]!)).toBe(true);
  }
}, 60_000);

test('boot scripts carry both addresses, each process its own first', async () => {
  for (const [index, address] of addresses.entries()) {
    const ask = async (path: string) => (await fetch(`http://${address}:${port}${path}`)).text();
    const other = `http://${addresses[1 - index]}:${port}`;
    expect(await ask('/boot/start.ipxe')).toContain(` || chain --autofree --replace ${other}/boot/script.ipxe?mac=`);
    const script = await ask('/boot/script.ipxe?mac=52-54-00-99-00-01&platform=pcbios&arch=x86_64&try=1');
    if (script.includes('muster_url')) expect(script).toContain(`muster_url=http://${address}:${port},${other} `);
  }
});

test('what a process had in hand when it died is taken up by the other after 5 s, its late writes count for nothing', async () => {
  const second: Database<CellTables> = openDatabase({ ...database.address, applicationName: 'test', maxConnections: 2 });
  try {
    const { rows } = await sql<{ id: string; incarnation: number }>`select id, incarnation from cell_process where name = 'b'`.execute(
      database.db,
    );
    const owner = (incarnation: number): string => `process ${rows[0]!.id}:${incarnation}`;
    const [machine] = await clients[0]!.call('Machines.read', {}, {});
    // Far from due for the real workers; only this test's claims look at it.
    await sql`
      insert into operation (system_id, kind, plan_version, requested_by, deadline, due_at, lease_until, lease_owner, fence)
      values (${machine!.system_id}, 'release', 1, 'x', now() + interval '1 hour', now() + interval '1 hour', now() + interval '1 hour', ${owner(rows[0]!.incarnation)}, 7)`.execute(
      database.db,
    );
    const claim = async () => {
      // Inside of one transaction that is rolled back: the cell's own workers never see it due.
      let found: readonly { fence: number }[] = [];
      await second
        .transaction(async (tx) => {
          await sql`update operation set due_at = now() where requested_by = 'x'`.execute(tx);
          found = (await claimDue(tx, 'test', 10, 60)).filter((one) => one.fence === 8);
          throw new Error('back');
        })
        .catch(() => undefined);
      return found.length;
    };
    // Its owner lives: the lease holds.
    expect(await claim()).toBe(0);
    // An earlier start of it does not.
    await sql`update operation set lease_owner = ${owner(rows[0]!.incarnation - 1)} where requested_by = 'x'`.execute(database.db);
    expect(await claim()).toBe(1);
    // Owners that are no process of the cell keep their leases.
    await sql`update operation set lease_owner = 'somebody:1' where requested_by = 'x'`.execute(database.db);
    expect(await claim()).toBe(0);
    await sql`delete from operation where requested_by = 'x'`.execute(database.db);
  } finally {
    await second.close();
  }
});

test('a process whose row is gone notices at its next heartbeat, and is not counted among the living', async () => {
  const { db } = database;
  const facts = { name: 'lost', address: '127.0.52.9', serviceAddresses: addresses, port, version: '0', servesTftp: false };
  const size = { servesDhcp: false, cpuCount: 1, memory: 1, architecture: 'amd64' };
  const id = '52000000-0000-4000-8000-000000000001';
  const row = await database.transaction((tx) => registerProcess(tx, { id, ...facts, ...size }));
  expect((await beat(db, row))?.length).toBe(2);
  // Another start on a copy of its folder has the row now.
  const later = await database.transaction((tx) => registerProcess(tx, { id, ...facts, ...size }));
  expect(await beat(db, row)).toBeUndefined();
  expect((await beat(db, later))?.length).toBe(2);
  await sql`delete from cell_process where id = ${id}::uuid`.execute(db);
  expect(await beat(db, later)).toBeUndefined();
});

test('a running cell whose row was deleted says so, once', async () => {
  let forgotten = 0;
  newFolder('c');
  const cell = await startCell({
    config: configOf('c', '127.0.52.4', { listen: [] }),
    version: '0',
    log,
    onForgotten: () => (forgotten += 1),
  });
  try {
    await sql`delete from cell_process where name = 'c'`.execute(database.db);
    await until('it noticed', async () => forgotten > 0);
    await sleep(2_500);
    expect(forgotten).toBe(1);
  } finally {
    await cell.close();
  }
}, 40_000);

test('one Kea that is down holds a machine up for two minutes, not longer; of DHCP that nobody has applied each waits', async () => {
  const { db } = database;
  const ids = ['52000000-0000-4000-8000-000000000002', '52000000-0000-4000-8000-000000000003'];
  const facts = { address: '127.0.52.9', serviceAddresses: addresses, port, version: '0', servesDhcp: true, servesTftp: false };
  try {
    for (const id of ids)
      await database.transaction((tx) => registerProcess(tx, { id, name: id, ...facts, cpuCount: 1, memory: 1, architecture: 'amd64' }));
    expect(await dhcpNames(db, 'abcdef')).toEqual({ all: false, some: false });
    await saveDhcpNames(db, ids[0]!, ['abcdef']);
    const named = () => dhcpNames(db, 'abcdef');
    expect(await named()).toEqual({ all: false, some: true });
    expect([await isNamed(true, named, 119_000), await isNamed(true, named, 121_000)]).toEqual([false, true]);
    // The one that is down is this one.
    expect([await isNamed(false, named, 119_000), await isNamed(false, named, 121_000)]).toEqual([false, true]);
    const nowhere = () => dhcpNames(db, 'ghijkl');
    expect(await isNamed(false, nowhere, 3_600_000)).toBe(false);
    expect([await isNamed(false, undefined, 3_600_000), await isNamed(undefined, undefined, 0)]).toEqual([false, true]);
    await saveDhcpNames(db, ids[1]!, ['abcdef']);
    expect(await isNamed(true, named, 0)).toBe(true);
  } finally {
    await sql`delete from cell_process where id = any (${ids}::uuid[])`.execute(db);
  }
});

test('an orderly end frees the address; a restart keeps slot and id, and nothing is restored', async () => {
  await cells[1]!.close();
  const racks = await racksOf(0);
  expect(racks.map((rack) => rack.service_set.find((one) => one.name === 'http')?.status)).toEqual(['running', 'dead']);
  const before = await sql<{ id: string }>`select id from cell_process order by slot`.execute(database.db);
  cells[1] = await start(configOf('b', addresses[1]!));
  expect(cells[1]!.base.epoch.decision.kind).toBe('same');
  const after = await sql<{ id: string }>`select id from cell_process order by slot`.execute(database.db);
  expect(after.rows).toEqual(before.rows);
  const { rows } = await sql<{ locked: number }>`select count(*) filter (where locked)::int as locked from machine`.execute(database.db);
  expect(rows[0]!.locked).toBe(0);
}, 30_000);

test('with nobody to vouch an empty folder on a database in use is a restored database, unless the operator trusts it', async () => {
  await Promise.all(cells.map((cell) => cell.close()));
  newFolder('trusting');
  cells = [await start(configOf('trusting', addresses[0]!, { trust_database: true }))];
  expect(cells[0]!.base.epoch.decision.kind).toBe('same');
  await cells[0]!.close();
  newFolder('late');
  cells = [await start(configOf('late', addresses[0]!))];
  expect(cells[0]!.base.epoch.decision.kind).toBe('restored');
  const { rows } = await sql<{ open: number }>`select count(*) filter (where not locked)::int as open from machine`.execute(database.db);
  expect(rows[0]!.open).toBe(0);
}, 60_000);
