/** Devices: who may do what, what is refused, and what hangs on them. */
import { Compile } from 'typebox/compile';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, type CellApi, type Fields, type Person } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';
import { Device } from '../../contract/resources/devices.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ others: 'mine' });
});
afterAll(() => cell.close());

const ask = (who: Person | undefined, method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, fields: Fields = {}) =>
  cell.ask(who, method, path, fields);
const create = (who: Person, fields: Fields = {}) =>
  ask(who, 'POST', 'devices/', { mac_addresses: cell.nextMac(), ...(cell.behind ? { cell: 'c17' } : {}), ...fields });
async function add(who: Person, fields: Fields = {}): Promise<string> {
  const reply = await create(who, fields);
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
  return reply.json<{ system_id: string }>().system_id;
}
const count = async (table: 'node' | 'device' | 'machine' | 'interface') =>
  (await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(cell.database.db)).rows[0]!.n;
const idsOf = (reply: { json<T>(): T }) => reply.json<{ system_id: string }[]>().map((one) => one.system_id);

describe('creating', () => {
  test('the body is a device to the field; it belongs to whoever adds it', async () => {
    const mac = cell.nextMac();
    const reply = await create('ann', { mac_addresses: [mac.toUpperCase().replaceAll(':', '-'), cell.nextMac()], hostname: 'printer-1' });
    expect(reply.status).toBe(200);
    const body = reply.json();
    expect(Compile(Device).Errors(body)).toEqual([]);
    expect(body).toMatchObject({
      hostname: 'printer-1',
      fqdn: 'printer-1.c17.example',
      owner: 'ann',
      parent: null,
      node_type: 1,
      node_type_name: 'Device',
      ip_addresses: [],
      tag_names: [],
      address_ttl: null,
      zone: { name: 'default' },
      resource_uri: `/MAAS/api/2.0/devices/${String(body['system_id'])}/`,
    });
    expect((body['interface_set'] as { name: string; mac_address: string }[]).map((nic) => [nic.name, nic.mac_address])[0]).toEqual([
      'eth0',
      mac,
    ]);
    expect((await ask('bob', 'GET', `devices/${String(body['system_id'])}/`)).json()).toEqual(body);
  });

  test('a name is made up; zone, domain and description are taken', async () => {
    const body = (await create('ann', { zone: 'east', domain: 'c17.example', description: 'ups' })).json();
    expect(body).toMatchObject({ zone: { name: 'east' }, description: 'ups', domain: { name: 'c17.example' } });
    expect(body['hostname']).toMatch(/^[a-z]+-[a-z]+/);
  });

  test('its names and MACs are unique over machines and devices', async () => {
    const mac = cell.nextMac();
    await cell.add({ hostname: 'taken-one', mac_addresses: mac });
    const before = await count('node');
    const name = await create('ann', { hostname: 'TAKEN-one' });
    expect([name.status, name.json()]).toEqual([400, { hostname: ['Node with this Hostname already exists.'] }]);
    const same = await create('ann', { mac_addresses: mac });
    expect([same.status, same.json()]).toEqual([400, { mac_addresses: [`MAC address ${mac} is already in use by taken-one.`] }]);
    await add('ann', { hostname: 'device-one' });
    const machine = await ask('admin', 'POST', 'machines/', {
      mac_addresses: cell.nextMac(),
      power_type: 'manual',
      hostname: 'device-one',
      ...(cell.behind ? { cell: 'c17' } : {}),
    });
    expect([machine.status, machine.json()]).toEqual([400, { hostname: ['Node with this Hostname already exists.'] }]);
    expect(await count('node')).toBe(before + 1);
  });

  test.each<[string, Fields, string]>([
    ['no MAC', { mac_addresses: '' }, 'mac_addresses'],
    ['no such MAC', { mac_addresses: 'x' }, 'mac_addresses'],
    ['a bad name', { hostname: 'a_b' }, 'hostname'],
    ['a name too long', { hostname: 'a'.repeat(64) }, 'hostname'],
    ['an unknown zone', { zone: 'west' }, 'zone'],
    ['an unknown domain', { domain: 'nowhere' }, 'domain'],
    ['an unknown parent', { parent: '339999z' }, 'parent'],
    ['a parent that is no id', { parent: 'x' }, 'parent'],
  ])('%s is refused, and nothing is left of it', async (_, fields, field) => {
    const before = [await count('node'), await count('interface')];
    const reply = await create('ann', fields);
    expect([reply.status, Object.keys(reply.json())]).toEqual([400, [field]]);
    expect([await count('node'), await count('interface')]).toEqual(before);
  });

  test('nobody else than users may', async () => {
    expect((await ask(undefined, 'POST', 'devices/', { mac_addresses: cell.nextMac() })).status).toBe(401);
  });
});

describe('changing', () => {
  test('its owner and admins may, others may not', async () => {
    const id = await add('ann');
    const parent = await cell.add();
    const put = (who: Person | undefined, fields: Fields) => ask(who, 'PUT', `devices/${id}/`, fields);
    expect((await put('bob', { description: 'mine' })).status).toBe(403);
    expect((await put(undefined, { description: 'mine' })).status).toBe(401);
    const changed = await put('ann', { hostname: 'renamed', description: 'd', zone: 'east', parent });
    expect(changed.json()).toMatchObject({ hostname: 'renamed', description: 'd', zone: { name: 'east' }, parent });
    expect((await put('admin', { parent: '' })).json()).toMatchObject({ parent: null, hostname: 'renamed' });
    expect((await put('ann', {})).status).toBe(200);
    expect((await put('ann', { hostname: 'taken-one' })).json()).toEqual({ hostname: ['Node with this Hostname already exists.'] });
    expect((await put('ann', { parent: id })).json()).toEqual({ parent: ['A device cannot live on itself.'] });
    const child = await add('ann', { parent: id });
    expect((await put('ann', { parent: child })).json()).toEqual({ parent: ['A device cannot live on itself.'] });
    expect((await ask('ann', 'GET', 'events/?op=query', { id, limit: '1' })).json()).toMatchObject({
      events: [{ type: 'Device changed', hostname: 'renamed', username: 'admin' }],
    });
  });

  test('owner data and annotations are merged, key by key', async () => {
    const id = await add('ann');
    for (const op of ['set_owner_data', 'set_workload_annotations']) {
      const field = op === 'set_owner_data' ? 'owner_data' : 'workload_annotations';
      const url = `devices/${id}/?op=${op}`;
      expect((await ask('bob', 'POST', url, { a: '1' })).status).toBe(403);
      expect((await ask('ann', 'POST', url, { a: '1', b: '2' })).json()[field]).toEqual({ a: '1', b: '2' });
      expect((await ask('admin', 'POST', url, { a: '', c: '3' })).json()[field]).toEqual({ b: '2', c: '3' });
      expect((await ask('ann', 'POST', url, { ['k'.repeat(300)]: '1' })).status).toBe(400);
    }
  });

  test('what does not exist is not found, whatever its name looks like', async () => {
    for (const id of ['346999z', 'x', '..%2F', 'a'.repeat(300), await cell.add()]) {
      const reply = await ask('admin', 'GET', `devices/${id}/`);
      expect([reply.status, reply.text]).toEqual([404, 'No Device matches the given query.']);
      expect((await ask('admin', 'DELETE', `devices/${id}/`)).status).toBe(404);
      expect((await ask('admin', 'PUT', `devices/${id}/`, { description: 'x' })).status).toBe(404);
    }
  });
});

describe('what a user has', () => {
  test('counts devices, and hands them over with everything else', async () => {
    const before = (await ask('admin', 'GET', 'users/bob/?op=resources')).json<{ devices: number }>().devices;
    const id = await add('bob');
    expect((await ask('admin', 'GET', 'users/bob/?op=resources')).json()).toMatchObject({ devices: before + 1 });
    const given = await ask('admin', 'POST', 'users/bob/?op=transfer_resources', { to: 'ann' });
    expect([given.status, given.json<{ devices: number }>().devices]).toEqual([200, before + 1]);
    expect((await ask('ann', 'GET', `devices/${id}/`)).json()).toMatchObject({ owner: 'ann' });
    expect((await ask('admin', 'GET', 'users/bob/?op=resources')).json()).toMatchObject({ devices: 0 });
    expect((await ask('admin', 'GET', 'events/?op=query', { id, limit: '1' })).json()).toMatchObject({
      events: [{ type: 'Device changed', description: 'owner: bob to ann' }],
    });
  });
});

test('a device goes where its parent is; lists are of all cells there are, and a zone is set in each', async () => {
  const elsewhere = (await create('ann', { cell: through === 'front' ? 'c18' : 'c17' })).json<{ system_id: string }>().system_id;
  const child = await ask('ann', 'POST', 'devices/', { mac_addresses: cell.nextMac(), parent: elsewhere });
  expect(child.json()).toMatchObject({ parent: elsewhere });
  const here = await add('ann');
  const listed = idsOf(await ask('bob', 'GET', 'devices/', { id: [elsewhere, here] }));
  expect(listed).toEqual([elsewhere, here].toSorted());
  expect((await ask('admin', 'POST', 'devices/?op=set_zone', { zone: 'east', nodes: [elsewhere, here] })).status).toBe(200);
  for (const id of [elsewhere, here])
    expect((await ask('bob', 'GET', `nodes/${id}/`)).json()).toMatchObject({ zone: { name: 'east' }, node_type: 1 });
  expect((await ask('ann', 'DELETE', `devices/${elsewhere}/`)).status).toBe(204);
});

describe('its interfaces', () => {
  test('are changed by the same calls as a machine’s, and addresses of devices are taken', async () => {
    const { db } = cell.database;
    const { id: fabric_id } = await db.insertInto('fabric').values({ name: 'wire' }).returning('id').executeTakeFirstOrThrow();
    const { id: vlan_id } = await db
      .insertInto('vlan')
      .values({ fabric_id, vid: 0, name: 'untagged' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const subnet = await db
      .insertInto('subnet')
      .values({ vlan_id, cidr: '10.77.0.0/24', name: 'wire' })
      .returning('id')
      .executeTakeFirstOrThrow();
    const id = await add('ann');
    const [nic] = (await ask('ann', 'GET', `nodes/${id}/interfaces/`)).json<{ id: number }[]>();
    const link = (who: Person) =>
      ask(who, 'POST', `nodes/${id}/interfaces/${nic?.id}/?op=link_subnet`, {
        mode: 'STATIC',
        subnet: String(subnet.id),
        ip_address: '10.77.0.9',
      });
    expect((await link('bob')).status).toBe(403);
    expect((await link('ann')).json()).toMatchObject({ links: [{ mode: 'static', ip_address: '10.77.0.9' }] });
    expect((await ask('ann', 'GET', `devices/${id}/`)).json()['ip_addresses']).toEqual(['10.77.0.9']);
    const more = await ask('ann', 'POST', `nodes/${id}/interfaces/?op=create_physical`, {
      mac_address: cell.nextMac(),
      vlan: String(vlan_id),
    });
    expect(more.status).toBe(200);
    const restored = await ask('admin', 'POST', `devices/${id}/?op=restore_networking_configuration`);
    expect(restored.json()).toMatchObject({ ip_addresses: [], interface_set: [{ links: [] }, { links: [] }] });
    expect((await ask('ann', 'POST', `devices/${id}/?op=restore_default_configuration`)).status).toBe(403);
    expect((await ask('admin', 'POST', `devices/${id}/?op=restore_default_configuration`)).status).toBe(200);
  });
});

describe('deleting', () => {
  test('takes its node, interfaces and tags along; others may not', async () => {
    const id = await add('ann');
    await ask('admin', 'POST', 'tags/gpu/?op=update_nodes', { add: id });
    expect((await ask('bob', 'DELETE', `devices/${id}/`)).status).toBe(403);
    expect((await ask('ann', 'DELETE', `devices/${id}/`)).status).toBe(204);
    expect((await ask('ann', 'DELETE', `devices/${id}/`)).status).toBe(404);
    for (const table of ['node', 'interface', 'machine_tag'] as const) {
      const left = await cell.database.db.selectFrom(table).select('system_id').where('system_id', '=', id).execute();
      expect(left, table).toEqual([]);
    }
  });

  test('devices of a machine go with it, and theirs with them', async () => {
    const machine = await cell.add();
    const child = await add('ann', { parent: machine });
    const grandchild = await add('ann', { parent: child });
    expect((await ask('admin', 'DELETE', `machines/${machine}/`)).status).toBe(204);
    for (const id of [child, grandchild]) expect((await ask('ann', 'GET', `devices/${id}/`)).status).toBe(404);
    expect(await count('node')).toBe((await count('machine')) + (await count('device')));
    // The feed is told of each, in the same transaction.
    const { rows } = await sql<{ system_id: string; username: string }>`
      select system_id, username from event where type = 'device_deleted' and system_id in (${child}, ${grandchild})`.execute(
      cell.database.db,
    );
    expect(rows.map((row) => [row.system_id, row.username])).toEqual([child, grandchild].toSorted().map((id) => [id, 'admin']));
  });

  test('a device that others live on, likewise', async () => {
    const parent = await add('bob');
    const child = await add('ann', { parent });
    expect((await ask('bob', 'DELETE', `devices/${parent}/`)).status).toBe(204);
    const { rows } = await sql<{ system_id: string }>`
      select system_id from event where type = 'device_deleted' and system_id in (${parent}, ${child}) order by id`.execute(
      cell.database.db,
    );
    expect(rows.map((row) => row.system_id)).toEqual([child, parent]);
  });
});

describe('lists', () => {
  test('the filters of machines find devices, and never a machine', async () => {
    const mac = cell.nextMac();
    const id = await add('ann', { hostname: 'findme', zone: 'east', mac_addresses: mac });
    await ask('admin', 'POST', 'tags/fast/?op=update_nodes', { add: id });
    const machine = await cell.add({ hostname: 'machine-x', zone: 'east' });
    const list = (fields: Fields) => ask('bob', 'GET', 'devices/', fields);
    for (const fields of [
      { id },
      { system_id: id },
      { hostname: 'findme' },
      { hostname: 'findme.c17.example' },
      { mac_address: mac },
      { owner: 'ann', hostname: 'findme' },
      { tags: 'fast' },
      { tags: 'fast', zone: 'east', domain: 'c17.example', not_in_pool: 'lab', not_tags: 'gpu', status: 'new' },
    ] as Fields[])
      expect(idsOf(await list(fields)), JSON.stringify(fields)).toEqual([id]);
    for (const fields of [
      { id: machine },
      { pool: 'default' },
      { hostname: 'machine-x' },
      { tags: 'fast,gpu' },
      { power_state: 'on' },
    ] as Fields[])
      expect(idsOf(await list(fields)), JSON.stringify(fields)).toEqual([]);
    expect((await list({ colour: 'red' })).json()).toEqual({ colour: ['No such constraint.'] });
    const all = idsOf(await list({}));
    expect(all).toContain(id);
    expect(all).not.toContain(machine);
    expect(all).toEqual(all.toSorted());
    expect(idsOf(await ask('bob', 'GET', 'machines/'))).not.toContain(id);
    expect(idsOf(await ask('bob', 'GET', 'tags/fast/?op=devices'))).toEqual([id]);
    expect(idsOf(await ask('bob', 'GET', 'tags/fast/?op=machines'))).toEqual([]);
    expect(idsOf(await ask('bob', 'GET', 'tags/fast/?op=nodes'))).toEqual([id]);
  });

  test('is_registered is told to anybody, set_zone is for admins', async () => {
    const mac = cell.nextMac();
    const id = await add('ann', { mac_addresses: mac });
    for (const list of ['devices', 'machines', 'nodes', 'rackcontrollers', 'regioncontrollers']) {
      expect((await ask(undefined, 'GET', `${list}/?op=is_registered`, { mac_address: mac.toUpperCase() })).text, list).toBe('true');
      expect((await ask(undefined, 'GET', `${list}/?op=is_registered`, { mac_address: '52:54:00:ff:ff:ff' })).text, list).toBe('false');
      expect((await ask(undefined, 'GET', `${list}/?op=is_registered`)).status).toBe(400);
    }
    const machine = await cell.add();
    const zone = (who: Person, nodes: string[], name = 'east') => ask(who, 'POST', 'devices/?op=set_zone', { zone: name, nodes });
    expect((await zone('ann', [id])).status).toBe(403);
    expect((await zone('admin', [id], 'west')).status).toBe(400);
    expect((await zone('admin', [id, machine])).status).toBe(400);
    expect((await ask('ann', 'GET', `devices/${id}/`)).json()).toMatchObject({ zone: { name: 'default' } });
    expect((await zone('admin', [id])).text).toBe('null');
    expect((await ask('ann', 'GET', `devices/${id}/`)).json()).toMatchObject({ zone: { name: 'east' } });
  });

  test('details and power settings are there, and empty', async () => {
    const id = await add('ann');
    const details = await ask('ann', 'GET', `devices/${id}/?op=details`);
    expect([details.status, details.headers['content-type']]).toEqual([200, 'application/bson']);
    expect((await ask('ann', 'GET', `devices/${id}/?op=power_parameters`)).status).toBe(403);
    expect((await ask('admin', 'GET', `devices/${id}/?op=power_parameters`)).json()).toEqual({});
  });
});
