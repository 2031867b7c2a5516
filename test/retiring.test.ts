// Retiring what cells use: a hub, two cells and a front over real sockets. North reaches the hub through a wire that the tests can cut.
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cell } from '../src/cell/cell.ts';
import { sweepReferences } from '../src/cell/dangling-references.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import type { Front } from '../src/front/front.ts';
import type { Client } from '../src/http/client.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import type { TestDatabase } from './postgres.ts';
import { SmallFleet } from './small-fleet.ts';

let fleet: SmallFleet;
let wire: Wire;
let north: Cell;
let northDatabase: TestDatabase<CellTables>;
let south: Cell;
let front: Front;
let client: Client;
let atNorth: Client;

interface Wire {
  readonly url: string;
  cut(): void;
  mend(): void;
  close(): void;
}

/** A TCP relay to the hub; while it is cut it takes nothing and drops what it has. */
async function wireTo(port: number): Promise<Wire> {
  let isCut = false;
  const sockets = new Set<Socket>();
  const server: NetServer = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => (sockets.delete(socket), near.destroy(), far.destroy()));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => ((isCut = true), drop()),
    mend: () => void (isCut = false),
    close: () => (drop(), void server.close()),
  };
}

let made = 0;
/** Ready machines by SQL: what this test is about begins behind commissioning. */
async function makeMachines(
  cell: Cell,
  count: number,
  set: Partial<Record<'owner' | 'status' | 'pool_id', string | number>> = {},
): Promise<string[]> {
  const { db } = cell.base.database;
  const { id } = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    made += 1;
    const system_id = systemIdOf(cell.number, 100_010 + made)!;
    const row = { system_id, hostname: `${cell.name}-${made}`, domain_id: id, status: 4, cpu_count: 4, memory: 4096, power_type: 'manual' };
    await db
      .insertInto('machine')
      .values({ ...row, ...(set as object) })
      .execute();
    ids.push(system_id);
  }
  return ids;
}

/** Until it is so, at most 10 s. */
async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await what()) return;
    await sleep(20);
  }
  throw new Error(`it never became so: ${what}`);
}

const findings = async (at: Client) =>
  (await at.call('Findings.read', {}, { kind: ['dangling_reference'] })).map(({ text, count }) => ({ text, count }));
const zoneOf = async (system_id: string) => (await client.call('Machine.read', { system_id }, {})).zone.name;

beforeAll(async () => {
  fleet = await SmallFleet.open();
  wire = await wireTo(Number(new URL(fleet.hub.url).port));
  const place = await fleet.place('north');
  await fleet.join('north', 'cell', { url: wire.url, ownUrl: `http://127.0.0.1:${place.config.port}` });
  northDatabase = place.database;
  north = await fleet.start(place);
  ({ cell: south } = await fleet.openCell('south'));
  front = await fleet.openFront('f1');
  client = fleet.client(front.url);
  atNorth = fleet.client(north.url);
  await until(() => [north, south].every((cell) => cell.global.reader.named('front', 'f1') !== undefined));
}, 60_000);
afterAll(async () => {
  wire.close();
  await fleet[Symbol.asyncDispose]();
});

describe('what MAAS takes away from machines', () => {
  test('a zone: its machines are in the default one, in every cell, and that is no finding', async () => {
    await client.call('Zones.create', {}, { name: 'east' });
    const ids = [...(await makeMachines(north, 3)), ...(await makeMachines(south, 1))];
    for (const cell of [north, south]) {
      const mine = ids.filter((id) => id.startsWith(systemIdOf(cell.number, 100_010)!.slice(0, 3)));
      await client.call('Machines.set_zone', {}, { zone: 'east', nodes: mine });
    }
    expect(await Promise.all(ids.map(zoneOf))).toEqual(['east', 'east', 'east', 'east']);
    await client.call('Zone.delete', { name: 'east' }, {});
    // At once, for whoever looks; the rows follow.
    expect(await Promise.all(ids.map(zoneOf))).toEqual(['default', 'default', 'default', 'default']);
    const rows = (cell: Cell) => cell.base.database.db.selectFrom('machine').select('zone_id').where('zone_id', '<>', 1).execute();
    await until(async () => (await Promise.all([north, south].map(rows))).flat().length === 0);
    expect(await client.call('Machines.read', {}, { zone: ['default'], fields: 'system_id' })).toHaveLength(4);
    const { events } = await client.call('Events.query', {}, { id: [ids[0]!] });
    expect(events.map((event) => event.description)).toContain('zone: east is retired, the default one takes its place');
    expect(await findings(client)).toEqual([]);
  });

  test('a tag comes off; another of the same name is on nobody', async () => {
    await client.call('Tags.create', {}, { name: 'gpu' });
    const [id] = await makeMachines(north, 1);
    await client.call('Tag.update_nodes', { name: 'gpu' }, { add: [id!] });
    await client.call('Tag.delete', { name: 'gpu' }, {});
    await client.call('Tags.create', {}, { name: 'gpu' });
    expect(await client.call('Tag.machines', { name: 'gpu' }, {})).toEqual([]);
    expect((await client.call('Machine.read', { system_id: id! }, {})).tag_names).toEqual([]);
    await until(async () => (await north.base.database.db.selectFrom('machine_tag').selectAll().execute()).length === 0);
  });

  test('a space: its VLANs are in none', async () => {
    const space = await client.call('Spaces.create', {}, { name: 'storage' });
    const fabric = await client.call('Fabrics.create', {}, { name: 'f', cell: 'north' });
    const vlan = await client.call('Vlans.create', { fabric_id: String(fabric.id) }, { vid: 10, name: 'v10', space: 'storage' });
    await client.call('Space.delete', { id: String(space.id) }, {});
    const now = () => client.call('Vlan.read', { fabric_id: String(fabric.id), vid: String(vlan.vid) }, {});
    expect((await now()).space).toBe('undefined');
    await until(async () => {
      const row = await north.base.database.db.selectFrom('vlan').select('space_id').where('id', '=', vlan.id).executeTakeFirstOrThrow();
      return row.space_id === null;
    });
  });
});

describe('a pool', () => {
  test('stays while a machine anywhere is in it', async () => {
    const pool = await client.call('ResourcePools.create', {}, { name: 'lab' });
    const [id] = await makeMachines(south, 1);
    await client.call('Machine.update', { system_id: id! }, { pool: 'lab' });
    const retire = () => client.call('ResourcePool.delete', { id: String(pool.id) }, {});
    await expect(retire()).rejects.toMatchObject({ code: 'in_use', text: 'Resource pool lab is in use: machines in south.' });
    await client.call('Machine.update', { system_id: id! }, { pool: 'default' });
    await retire();
    await expect(client.call('ResourcePool.read', { id: String(pool.id) }, {})).rejects.toMatchObject({ status: 404 });
  });

  test('that is retired behind a cell’s back: one finding, the default stands in, and it ends with the last reference', async () => {
    const pool = await client.call('ResourcePools.create', {}, { name: 'raced' });
    wire.cut();
    // Nobody uses it as far as anybody can tell; north answers the question but does not hear of the end.
    await client.call('ResourcePool.delete', { id: String(pool.id) }, {});
    const ids = await makeMachines(north, 2);
    for (const system_id of ids) {
      expect(await atNorth.call('Machine.update', { system_id }, { pool: 'raced' })).toMatchObject({ pool: { name: 'raced' } });
    }
    expect(await findings(atNorth)).toEqual([]);
    wire.mend();
    await until(async () => (await findings(atNorth)).length > 0);
    const text = '2 machine(s) here refer to pool raced, which is retired. They count as in the default pool.';
    expect(await findings(atNorth)).toEqual([{ text, count: 1 }]);

    // Looking again opens nothing and costs nothing but the looks.
    const look = () => northDatabase.countStatements(() => sweepReferences(north.base.database, north.global.reader));
    const before = await look();
    expect(await findings(atNorth)).toEqual([{ text, count: 1 }]);
    await makeMachines(north, 40);
    expect((await look()).statements).toHaveLength(before.statements.length);
    expect(await client.call('Machine.read', { system_id: ids[0]! }, {})).toMatchObject({ pool: { id: 0, name: 'default' } });
    const inDefault = await client.call('Machines.read', {}, { pool: ['default'], fields: 'system_id' });
    expect(inDefault.map((machine) => machine.system_id)).toEqual(expect.arrayContaining(ids));
    expect(await atNorth.call('Machines.allocate', {}, { pool: ['default'], system_id: [ids[0]!] })).toMatchObject({ system_id: ids[0] });

    await client.call('Machine.update', { system_id: ids[0]! }, { pool: 'default' });
    await until(async () => (await findings(atNorth))[0]?.text.startsWith('1 machine(s)') === true);
    await client.call('Machine.update', { system_id: ids[1]! }, { pool: 'default' });
    await until(async () => (await findings(atNorth)).length === 0);
    const all = await north.base.database.db.selectFrom('finding').selectAll().where('kind', '=', 'dangling_reference').execute();
    expect(all.map(({ subject, count, resolved_by }) => ({ subject, count, resolved_by }))).toEqual([
      { subject: `pool/${pool.id}`, count: 1, resolved_by: 'system' },
    ]);
  });

  test('a finding that a person has dismissed stays dismissed until something changes', async () => {
    const database = north.base.database;
    const [first] = await makeMachines(north, 1, { pool_id: 987_654 });
    await sweepReferences(database, north.global.reader);
    expect((await findings(atNorth))[0]!.text).toBe(
      '1 machine(s) here refer to pool 987654, which this cell has never heard of. They count as in the default pool.',
    );
    const [open] = await atNorth.call('Findings.read', {}, { kind: ['dangling_reference'] });
    await atNorth.call('Finding.dismiss', { id: String(open!.id) }, {});
    await sweepReferences(database, north.global.reader);
    expect(await findings(atNorth)).toEqual([]);
    const [second] = await makeMachines(north, 1, { pool_id: 987_654 });
    await sweepReferences(database, north.global.reader);
    expect(await findings(atNorth)).toHaveLength(1);
    await database.db.updateTable('machine').set({ pool_id: 0 }).where('system_id', 'in', [first!, second!]).execute();
    await sweepReferences(database, north.global.reader);
    expect(await findings(atNorth)).toEqual([]);
  });
});

describe('a user', () => {
  const person = (username: string) =>
    client.call('Users.create', {}, { username, email: '', password: 'a long enough password', is_superuser: false });
  const owned = async (cell: Cell, owner: string) =>
    (await cell.base.database.db.selectFrom('machine').select('system_id').where('owner', '=', owner).execute()).length;

  test('stays while they own a machine, and hands over what they had in every cell', async () => {
    await person('ann');
    await person('bob');
    await makeMachines(north, 2, { owner: 'ann', status: 10 });
    await makeMachines(south, 1, { owner: 'ann', status: 10 });
    const key = await fetch(`${front.url}/MAAS/accounts/authenticate/`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'ann', password: 'a long enough password' }),
    });
    const { consumer_key, token_key, token_secret } = (await key.json()) as Record<string, string>;
    const ann = fleet.client(front.url, `${consumer_key}:${token_key}:${token_secret}`);
    expect(await client.call('User.resources', { username: 'ann' }, {})).toEqual({
      machines: 3,
      devices: 0,
      ip_ranges: 0,
      ip_addresses: 0,
    });
    await expect(client.call('User.delete', { username: 'ann' }, {})).rejects.toMatchObject({
      code: 'in_use',
      text: 'User ann is in use: machines, devices, addresses or ranges of them in north,south.',
    });
    const leave = (to: string) => client.call('User.delete', { username: 'ann' }, { transfer_resources_to: to });
    await expect(leave('nobody')).rejects.toMatchObject({ status: 404 });
    await expect(leave('ann')).rejects.toMatchObject({ status: 400 });
    await expect(client.call('User.delete', { username: 'admin' }, { transfer_resources_to: 'bob' })).rejects.toMatchObject({
      status: 400,
    });
    expect([await owned(north, 'ann'), await owned(south, 'ann')]).toEqual([2, 1]);

    // A front that died in the middle has done one cell.
    await atNorth.call('User.transfer_resources', { username: 'ann' }, { to: 'bob' });
    expect([await owned(north, 'ann'), await owned(south, 'ann')]).toEqual([0, 1]);
    expect((await ann.call('Users.whoami', {}, {})).username).toBe('ann');
    await leave('bob');
    expect([await owned(north, 'bob'), await owned(south, 'bob')]).toEqual([2, 1]);
    await expect(ann.call('Users.whoami', {}, {})).rejects.toMatchObject({ status: 401 });
    await expect(client.call('User.read', { username: 'ann' }, {})).rejects.toMatchObject({ status: 404 });
    // The reply was lost: once more.
    await leave('bob');
  });

  test('only a front can hand over: the hub reaches no machine', async () => {
    const reply = await fleet.hub.server.inject({
      method: 'DELETE',
      url: '/MAAS/api/2.0/users/bob/?transfer_resources_to=admin',
      headers: { authorization: oauthHeader(fleet.admin.apiKey) },
    });
    expect([reply.statusCode, reply.body]).toEqual([400, 'Only a front reaches the machines of all cells: send this to one.']);
  });
});

test('every program says on every reply how far its config is', async () => {
  const shape = /^access=\d+\.\d+ config=\d+\.\d+$/;
  for (const url of [
    `${front.url}/MAAS/api/2.0/zones/`,
    `${north.url}/MAAS/api/2.0/nothing/`,
    `${front.url}/healthz`,
    `${south.url}/readyz`,
  ]) {
    expect((await fetch(url)).headers.get('muster-config-revision'), url).toMatch(shape);
  }
  expect((await fleet.hub.server.inject('/healthz')).headers['muster-config-revision']).toMatch(shape);
});

describe('with a cell away', () => {
  test('what it could be using is not retired, until an operator says that it is out', async () => {
    const pool = await client.call('ResourcePools.create', {}, { name: 'doubtful' });
    await client.call('Zones.create', {}, { name: 'doubtful' });
    const before = await makeMachines(north, 1, { owner: 'bob', status: 10 });
    await south.close();
    const retire = () => client.call('ResourcePool.delete', { id: String(pool.id) }, {});
    await expect(retire()).rejects.toMatchObject({ code: 'partial_refused', text: expect.stringContaining('absent: south') as string });
    await expect(client.call('User.delete', { username: 'bob' }, { transfer_resources_to: 'admin' })).rejects.toMatchObject({
      code: 'partial_refused',
    });
    // Nothing was begun.
    expect((await client.call('Machine.read', { system_id: before[0]! }, {})).owner).toBe('bob');
    // A zone needs nobody's word: a cell that comes back takes it off its machines.
    await client.call('Zone.delete', { name: 'doubtful' }, {});
    await client.call('Cell.update', { name: 'south' }, { state: 'out' });
    await until(async () => (await client.call('Cells.read', {}, {})).some((cell) => cell.name === 'south' && cell.state === 'out'));
    await retire();
    await client.call('User.delete', { username: 'bob' }, { transfer_resources_to: 'admin' });
    expect((await client.call('Machine.read', { system_id: before[0]! }, {})).owner).toBe('admin');
  });
});
