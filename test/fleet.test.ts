// A whole fleet in one process: a hub, two cells and a front, joined over real sockets, each with its own database.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { startCell, type Cell } from '../src/cell/cell.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { startFront, type Front } from '../src/front/front.ts';
import type { FirstAdmin } from '../src/global/default-documents.ts';
import { join } from '../src/global/join.ts';
import { createClient, type Client } from '../src/http/client.ts';
import { readEvents } from '../src/http/event-stream.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import type { GlobalTables } from '../src/global/db/global-tables.ts';
import { migrationsOfHub } from '../src/hub/hub-database.ts';
import { createHub, type Hub } from '../src/hub/hub.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

const log = pino({ level: 'silent' });
const databases: { drop(): Promise<void> }[] = [];
let folder: string;
let hub: Hub;
let cells: Cell[];
let front: Front;
let admin: FirstAdmin;
let client: Client;
let hubDatabase: TestDatabase<GlobalTables>;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function openCell(name: string): Promise<Cell> {
  const database = await testDatabase<CellTables>(migrationsOfCell);
  databases.push(database);
  const port = await freePort();
  const home = joinPath(folder, name);
  const { token, fingerprint } = await hub.invite('cell', name);
  const { number } = await join({ url: hub.url, token, fingerprint, role: 'cell', folder: home, ownUrl: `http://127.0.0.1:${port}` });
  const config = {
    name,
    number,
    site: 'site',
    folder: home,
    database_url: database.url,
    service_address: '127.0.0.1',
    port,
    listen: [],
    rack: [],
    dhcp: false,
    tftp_port: 0,
    lease_seconds: 600,
    image_sources: [],
    kernel_parameters: '',
    boot_slots: 64,
    keep_events_days: 30,
  };
  return startCell({ config, version: '1.2.3', log, checkReplies: true });
}

/** Ready machines by SQL: what this test is about begins behind commissioning. */
async function makeMachines(cell: Cell, count: number, memory: number): Promise<string[]> {
  const { db } = cell.base.database;
  const { id } = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const system_id = systemIdOf(cell.number, 100_010 + n)!;
    const hostname = `${cell.name}-${n}`;
    await db
      .insertInto('machine')
      .values({ system_id, hostname, domain_id: id, status: 4, cpu_count: 4, memory, power_type: 'manual' })
      .execute();
    ids.push(system_id);
  }
  return ids;
}

beforeAll(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), 'muster-fleet-test-'));
  hubDatabase = await testDatabase<GlobalTables>(migrationsOfHub);
  databases.push(hubDatabase);
  const hubConfig = {
    folder: joinPath(folder, 'hub'),
    database_url: hubDatabase.url,
    address: '127.0.0.1',
    port: 0,
    plain_address: '127.0.0.1',
    allow_plain: false,
  };
  hub = await createHub({ config: hubConfig, version: '1.2.3', log, checkReplies: true });
  admin = (await hub.init())!;
  cells = [await openCell('north'), await openCell('south')];
  const home = joinPath(folder, 'front');
  const { token, fingerprint } = await hub.invite('front', 'f1');
  await join({ url: hub.url, token, fingerprint, role: 'front', folder: home, ownUrl: 'http://127.0.0.1:1' });
  const config = {
    folder: home,
    listen: ['127.0.0.1'],
    port: 0,
    cells: [],
    gather_ms: 2_000,
    call_ms: 10_000,
    hub_ms: 5_000,
    allocate: 'best' as const,
    ask_sample: 8,
    retries: 0.1,
    connections: 16,
  };
  front = await startFront({ config, version: '1.2.3', log, checkReplies: true });
  client = createClient({ url: front.url, key: admin.apiKey });
  await makeMachines(cells[0]!, 3, 4096);
  await makeMachines(cells[1]!, 3, 8192);
  // A cell believes a front as soon as it has heard from the hub that there is one.
  const heard = () => cells.every((cell) => cell.global.reader.named('front', 'f1') !== undefined);
  for (let tries = 0; tries < 500 && !heard(); tries += 1) await sleep(20);
});
afterAll(async () => {
  await front.close(0);
  await Promise.all(cells.map((cell) => cell.close()));
  await hub.close(0);
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true });
});

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${front.url}/MAAS/api/2.0/${path}`, { headers: { authorization: oauthHeader(admin.apiKey), ...headers } });
}

describe('one API over two cells', () => {
  test('lists, pages and counts are of all cells', async () => {
    const reply = await get('machines/');
    expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=2');
    const all = (await reply.json()) as { system_id: string; hostname: string }[];
    expect(all.map((machine) => machine.hostname)).toEqual(['north-0', 'north-1', 'north-2', 'south-0', 'south-1', 'south-2']);
    for (const sort of ['hostname', '-hostname', 'status_since', '-system_id']) {
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page = await get(
          `machines/?${new URLSearchParams({ sort, limit: '2', fields: 'hostname', ...(after === null ? {} : { after }) })}`,
        );
        expect(page.status).toBe(200);
        seen.push(...((await page.json()) as { hostname: string }[]).map((machine) => machine.hostname));
        after = page.headers.get('muster-next');
      } while (after !== null);
      expect([sort, seen.length, new Set(seen).size]).toEqual([sort, 6, 6]);
    }
    expect(await client.call('Machines.summary', {}, {})).toMatchObject({ machines: 6, by_status: { ready: 6 } });
    expect((await client.call('Subnets.read', {}, {})).length).toBeGreaterThanOrEqual(0);
    expect(await client.call('Events.query', {}, {})).toMatchObject({ next_uri: null });
    expect((await get('rackcontrollers/')).status).toBe(200);
    expect((await get('operations/')).status).toBe(200);
    expect((await get('findings/?limit=5')).status).toBe(200);
  });

  test('one machine, created in a named cell, read, changed and deleted by its id', async () => {
    const params = {
      architecture: 'amd64/generic',
      mac_addresses: ['52:54:00:aa:bb:01'],
      hostname: 'by-hand',
      power_type: 'manual',
      commission: false,
      cell: 'south',
    };
    const made = await client.call('Machines.create', {}, params);
    expect(made.system_id.slice(0, 3)).toBe(systemIdOf(cells[1]!.number, 100_010)!.slice(0, 3));
    const { system_id } = made;
    expect(await client.call('Machine.update', { system_id }, { description: 'mine' })).toMatchObject({ description: 'mine' });
    expect(await client.call('Machines.is_registered', {}, { mac_address: '52:54:00:aa:bb:01' })).toBe(true);
    await client.call('Machine.delete', { system_id }, {});
    await expect(client.call('Machine.read', { system_id }, {})).rejects.toMatchObject({ status: 404 });
    await expect(client.call('Fabrics.create', {}, { name: 'nowhere' })).rejects.toMatchObject({ code: 'unplaced' });
  });

  test('allocating takes the cheapest of all cells, and racing callers each get their own', async () => {
    const first = await client.call('Machines.allocate', {}, { agent_name: 'test' });
    expect(first).toMatchObject({ hostname: 'north-0', owner: 'admin', status_name: 'Allocated' });
    const taken = await Promise.all(Array.from({ length: 5 }, () => client.call('Machines.allocate', {}, {}).catch(() => undefined)));
    const ids = [first, ...taken].flatMap((machine) => (machine ? [machine.system_id] : []));
    expect(new Set(ids).size).toBe(ids.length);
    const rest = 6 - ids.length;
    for (let n = 0; n < rest; n += 1) ids.push((await client.call('Machines.allocate', {}, {})).system_id);
    await expect(client.call('Machines.allocate', {}, {})).rejects.toMatchObject({
      status: 409,
      text: expect.stringMatching(/^No machine available\.\nCell north: 0 ready/) as string,
    });
    await expect(client.call('Machines.allocate', {}, { mem: [1e6] })).rejects.toMatchObject({
      status: 409,
      text: expect.stringContaining('resolved to') as string,
    });
    expect((await client.call('Machines.list_allocated', {}, {})).map((machine) => machine.system_id).sort()).toEqual([...ids].sort());
    expect((await client.call('Machines.release', {}, { machines: ids })).sort()).toEqual([...ids].sort());
  });

  test('the live stream has both cells', async () => {
    const reply = await client.open('Events.stream', {}, {});
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const event of readEvents(reply.body!)) {
        if (event.event === 'change') seen.add((JSON.parse(event.data) as { cell: string }).cell);
        if (seen.size === 2) return;
      }
    })();
    for (const cell of ['north', 'south']) {
      await client.call(
        'Machines.create',
        {},
        {
          architecture: 'amd64/generic',
          mac_addresses: [`52:54:00:aa:cc:0${cell.length % 2}`],
          power_type: 'manual',
          commission: false,
          cell,
          hostname: `streamed-${cell}`,
        },
      );
    }
    await reading;
    expect([...seen].sort()).toEqual(['north', 'south']);
  });

  test('one cell by its URL', async () => {
    const reply = await fetch(`${front.url}/cell/north/MAAS/api/2.0/machines/?fields=hostname`, {
      headers: { authorization: oauthHeader(admin.apiKey) },
    });
    expect(((await reply.json()) as { hostname: string }[]).every((machine) => machine.hostname.includes('north'))).toBe(true);
  });
});

describe('what is global', () => {
  test('is written at the hub, and everybody knows it when the answer comes', async () => {
    await client.call('Zones.create', {}, { name: 'east' });
    expect((await client.call('Zones.read', {}, {})).map((zone) => zone.name)).toContain('east');
    const [machine] = await client.call('Machines.read', {}, { hostname: ['north-1'] });
    expect(await client.call('Machine.update', { system_id: machine!.system_id }, { zone: 'east' })).toMatchObject({
      zone: { name: 'east' },
    });
  });

  test('is retired for everybody (what is in use: retiring.test.ts)', async () => {
    await client.call('Zones.create', {}, { name: 'unused' });
    await client.call('Zone.delete', { name: 'unused' }, {});
    expect((await client.call('Zones.read', {}, {})).map((zone) => zone.name)).not.toContain('unused');
  });

  test('a person signs in at the front, the hub mints the session, and the cells believe the front', async () => {
    const reply = await fetch(`${front.url}/MAAS/accounts/session/`, {
      method: 'POST',
      body: new URLSearchParams({ username: admin.username, password: admin.password }),
    });
    expect(reply.status).toBe(200);
    const cookie = reply.headers.getSetCookie()[0]!;
    expect(cookie).toContain('HttpOnly');
    expect(cookie).not.toContain('Secure');
    const session = cookie.split(';')[0]!;
    const list = await fetch(`${front.url}/MAAS/api/2.0/machines/?fields=hostname`, { headers: { cookie: session } });
    expect([list.status, list.headers.get('muster-cells')]).toEqual([200, 'asked=2 answered=2']);
    const renewed = await fetch(`${front.url}/MAAS/accounts/session/`, { method: 'PUT', headers: { cookie: session } });
    expect(renewed.status).toBe(200);
    const out = await fetch(`${front.url}/MAAS/accounts/session/`, { method: 'DELETE', headers: { cookie: session } });
    expect(out.status).toBe(204);
    expect((await fetch(`${front.url}/MAAS/api/2.0/machines/`, { headers: { cookie: session } })).status).toBe(401);
    expect(
      (
        await fetch(`${front.url}/MAAS/accounts/session/`, {
          method: 'POST',
          body: new URLSearchParams({ username: 'admin', password: 'wrong' }),
        })
      ).status,
    ).toBe(403);
  });

  test('a space has one name and networks in every cell', async () => {
    const { id } = await client.call('Spaces.create', {}, { name: 'storage' });
    for (const cell of ['north', 'south']) {
      const fabric = await client.call('Fabrics.create', {}, { name: `fabric-${cell}`, cell });
      await client.call('Vlans.create', { fabric_id: String(fabric.id) }, { vid: 10, name: `vlan-${cell}`, space: 'storage' });
    }
    const reply = await get('spaces/');
    expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=2');
    const space = ((await reply.json()) as { id: number; vlans: { name: string }[] }[]).find((one) => one.id === id);
    expect(space!.vlans.map((vlan) => vlan.name)).toEqual(['vlan-north', 'vlan-south']);
    expect((await client.call('Space.read', { id: String(id) }, {})).vlans).toHaveLength(2);
  });

  test('cells say how they are', async () => {
    const list = await client.call('Cells.read', {}, {});
    expect(list).toMatchObject([
      { name: 'north', answering: true, state: 'in', version: '1.2.3' },
      { name: 'south', answering: true },
    ]);
    expect(list[0]!.machines).toMatchObject({ ready: expect.any(Number) as number });
    expect((await client.call('Fronts.read', {}, {})).map((one) => one.name)).toEqual(['f1']);
  });
});

describe('when something is gone', () => {
  test('a cell: named, then marked out', async () => {
    await cells[1]!.close();
    cells.pop();
    const reply = await get('machines/?fields=hostname');
    expect(reply.headers.get('muster-cells')).toBe('asked=2 answered=1 absent=south');
    expect((await get('machines/?hostname=north-0')).status).toBe(503);
    const pool = await client.call('ResourcePools.create', {}, { name: 'spare' });
    await expect(client.call('ResourcePool.delete', { id: String(pool.id) }, {})).rejects.toMatchObject({
      code: 'partial_refused',
      retryAfter: 10,
    });
    await client.call('Cell.update', { name: 'south' }, { state: 'out' });
    expect((await get('machines/?hostname=north-0')).headers.get('muster-cells')).toBe('asked=1 answered=1 out=south');
  });

  test('the hub: reads and cells go on, writes are 503 with Retry-After', async () => {
    await hub.close(0);
    expect((await get('zones/')).status).toBe(200);
    expect(((await (await get('fronts/')).json()) as { name: string }[]).map((one) => one.name)).toEqual(['f1']);
    expect((await get('machines/')).status).toBe(200);
    const refused = await fetch(`${front.url}/MAAS/api/2.0/zones/`, {
      method: 'POST',
      headers: { authorization: oauthHeader(admin.apiKey) },
      body: new URLSearchParams({ name: 'late' }),
    });
    expect([refused.status, refused.headers.get('muster-error'), refused.headers.get('retry-after')]).toEqual([503, 'hub_absent', '10']);
  });
});
