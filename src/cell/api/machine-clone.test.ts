import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { systemIdOf } from '../../contract/ids.ts';
import { lifecycle, machineStates } from '../../contract/lifecycle.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

const gigabyte = 1_000_000_000;
let drawn = 0;

interface Shape {
  readonly cards?: number;
  readonly disks?: number;
  readonly size?: number;
  readonly status?: Parameters<NetworkServer['machine']>[0];
}

/** A machine with cards eth0, eth1, … and disks sda, sdb, …; it boots from the first of each. */
async function machine({ cards = 2, disks = 2, size = 100 * gigabyte, status = {} }: Shape = {}) {
  const id = await at.machine(status);
  const nics = Array.from({ length: cards }, (_, n) => ({
    system_id: id,
    name: `eth${n}`,
    mac: `52:54:00:58:${((drawn += 1) >> 8).toString(16).padStart(2, '0')}:${(drawn & 255).toString(16).padStart(2, '0')}`,
  }));
  const rows = Array.from({ length: disks }, (_, n) => ({ system_id: id, name: `sd${'abcd'[n]}`, serial: `${id}-${n}`, size }));
  const interfaces = await at.db.insertInto('interface').values(nics).returning('id').execute();
  const made = await at.db.insertInto('block_device').values(rows).returning('id').execute();
  const set = { boot_interface_id: interfaces[0]?.id ?? null, boot_disk_id: made[0]?.id ?? null };
  await at.db.updateTable('machine').set(set).where('system_id', '=', id).execute();
  return { id, node: `nodes/${id}/`, nics: interfaces.map((one) => one.id), disks: made.map((one) => one.id) };
}

/** A machine with a bond, a VLAN interface with a static address on it, LVM on both disks, and a tmpfs. */
async function configured() {
  const one = await machine();
  const fabric = await at.must('POST', 'fabrics/', {});
  const tagged = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 30 });
  const prefix = `10.58.${(drawn += 1)}`;
  const subnet = await at.must('POST', 'subnets/', { cidr: `${prefix}.0/24`, vlan: tagged.id, gateway_ip: `${prefix}.1` });
  const at_ = `${one.node}interfaces/`;
  for (const id of one.nics) await at.must('PUT', `${at_}${id}/`, { vlan: fabric.vlans[0].id, tags: 'uplink' });
  const bond = await at.must('POST', `${at_}?op=create_bond`, { name: 'bond0', parents: one.nics, bond_mode: '802.3ad', mtu: 9000 });
  const vlan = await at.must('POST', `${at_}?op=create_vlan`, { vlan: tagged.id, parent: bond.id });
  const link = { mode: 'static', subnet: subnet.id, ip_address: `${prefix}.50`, default_gateway: 'true' };
  await at.must('POST', `${at_}${vlan.id}/?op=link_subnet`, link);
  await at.must('POST', `machines/${one.id}/?op=set_storage_layout`, { storage_layout: 'lvm', vg_name: 'system' });
  await at.must('POST', `${one.node}blockdevices/${one.disks[1]}/?op=format`, { fstype: 'xfs', label: 'data' });
  await at.must('POST', `${one.node}blockdevices/${one.disks[1]}/?op=mount`, { mount_point: '/srv' });
  await at.must('POST', `machines/${one.id}/?op=mount_special`, { fstype: 'tmpfs', mount_point: '/scratch', mount_option: 'size=1G' });
  return { ...one, subnet };
}

const clone = (fields: Record<string, unknown>, who?: 'ann') => at.ask('POST', 'machines/?op=clone', fields, who);
const both = { interfaces: 'true', storage: 'true' };

/** A body without what is a machine's own: ids, UUIDs, MACs, serials, paths with them. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== 'object' || value === null) return value;
  const own = new Set([
    'id',
    'uuid',
    'system_id',
    'resource_uri',
    'mac_address',
    'serial',
    'id_path',
    'device_id',
    'path',
    'created',
    'updated',
  ]);
  return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (own.has(key) ? [] : [[key, shape(one)]])));
}
type Body = Awaited<ReturnType<NetworkServer['must']>>;
const storageOf = (body: Body) =>
  shape([body.blockdevice_set, body.volume_groups, body.raids, body.special_filesystems, body.storage_layout ?? null]);
const networkOf = (body: Body) =>
  shape(
    body.interface_set
      .map((nic: Body) => ({ ...nic, links: nic.links.map(({ mode, subnet }: Body) => ({ mode, subnet: subnet.id })) }))
      .toSorted((a: Body, b: Body) => (a.name < b.name ? -1 : 1)),
  );
const read = (id: string): Promise<Body> => at.must('GET', `machines/${id}/`);

test('machines are configured like another one, addresses apart', async () => {
  const source = await configured();
  const [one, two] = [await machine(), await machine({ cards: 3, disks: 3, status: { status: 'failed_testing' } })];
  const answer = await clone({ source: source.id, destinations: [one.id, two.id], ...both });
  expect([answer.status, answer.text]).toEqual([204, '']);
  const [from, copy, larger] = [await read(source.id), await read(one.id), await read(two.id)];
  expect(storageOf(copy)).toEqual(storageOf(from));
  const expected = JSON.parse(JSON.stringify(networkOf(from)).replace('"mode":"static"', '"mode":"auto"'));
  expect(networkOf(copy)).toEqual(expected);
  expect(copy.interface_set.find((nic: Body) => nic.name === 'bond0').mac_address).toBe(copy.boot_interface.mac_address);
  expect(copy.interface_set.flatMap((nic: Body) => nic.links.map((link: Body) => link.ip_address ?? null))).toEqual([null]);
  expect(copy.default_gateways.ipv4).toEqual(from.default_gateways.ipv4 && { ...from.default_gateways.ipv4, link_id: expect.any(Number) });
  expect(larger.interface_set.map((nic: Body) => nic.name).toSorted()).toEqual(['bond0', 'bond0.30', 'eth0', 'eth1', 'eth2']);
  expect(larger.physicalblockdevice_set.map((disk: Body) => [disk.name, disk.used_for])).toEqual([
    ['sda', from.physicalblockdevice_set[0].used_for],
    ['sdb', from.physicalblockdevice_set[1].used_for],
    ['sdc', 'Unused'],
  ]);
  const { rows: events } = await sql`select type, description from event where system_id = ${one.id} order by id`.execute(at.db);
  expect(events).toEqual([
    { type: 'interface_changed', description: `Interfaces as of machine ${source.id}` },
    { type: 'block_device_changed', description: `Storage as of machine ${source.id}` },
  ]);
  // The source is what it was, and doing it again changes nothing but ids.
  expect({ ...(await read(source.id)), domain: from.domain }).toEqual(from);
  expect((await clone({ source: source.id, destinations: one.id, ...both })).status).toBe(204);
  const again = await read(one.id);
  expect([storageOf(again), networkOf(again)]).toEqual([storageOf(copy), networkOf(copy)]);
});

test('either part alone leaves the other as it was', async () => {
  const source = await configured();
  const [one, two] = [await machine(), await machine()];
  const before = await read(one.id);
  expect((await clone({ source: source.id, destinations: one.id, storage: 'true' })).status).toBe(204);
  expect((await clone({ source: source.id, destinations: two.id, interfaces: 'true', storage: 'false' })).status).toBe(204);
  const [disks, nics, from] = [await read(one.id), await read(two.id), await read(source.id)];
  expect([disks.interface_set, storageOf(disks)]).toEqual([before.interface_set, storageOf(from)]);
  expect([storageOf(nics), nics.interface_set.length]).toEqual([storageOf(before), from.interface_set.length]);
});

test('the file systems of the owner are what is copied from an allocated machine', async () => {
  const source = await configured();
  await at.db.updateTable('machine').set({ status: lifecycle.allocated.number, owner: 'ann' }).where('system_id', '=', source.id).execute();
  await at.ask('POST', `machines/${source.id}/?op=unmount_special`, { mount_point: '/scratch' }, 'ann');
  const one = await machine();
  expect((await clone({ source: source.id, destinations: one.id, storage: 'true' })).status).toBe(204);
  const [from, copy] = [await read(source.id), await read(one.id)];
  expect(from.special_filesystems).toEqual([]);
  expect(storageOf(copy)).toEqual(storageOf(from));
});

test('the number of statements is the same for one machine and for many', async () => {
  const source = await configured();
  const cost = async (count: number) => {
    const destinations = await Promise.all(Array.from({ length: count }, async () => (await machine()).id));
    const { value, statements } = await at.database.countStatements(() => clone({ source: source.id, destinations, ...both }));
    expect(value.status).toBe(204);
    return statements.length;
  };
  const [one, many] = [await cost(1), await cost(12)];
  expect(many).toBe(one);
  expect(one).toBeLessThan(30);
});

test('what cannot be done is done to none of them', async () => {
  const source = await configured();
  const good = await machine();
  const elsewhere = systemIdOf(3, 60)!;
  const few = await machine({ cards: 1, disks: 1 });
  const small = await machine({ size: 90 * gigabyte });
  const locked = await machine();
  await at.db.updateTable('machine').set({ locked: true }).where('system_id', '=', locked.id).execute();
  const busy = await machine({ status: { status: 'commissioning' } });
  const before = await read(good.id);
  const gone = `${good.id.slice(0, 3)}zzzz`;
  const to = (...ids: string[]) => ({ source: source.id, destinations: [good.id, ...ids], ...both });
  const refusals: [Record<string, unknown>, Record<string, unknown>][] = [
    [{ ...to(), interfaces: 'false', storage: 'false' }, { __all__: ['Either storage or interfaces must be true.'] }],
    [{ source: source.id, destinations: good.id }, { __all__: ['Either storage or interfaces must be true.'] }],
    [to(source.id), { destinations: [`Source machine ${source.id} cannot be a destination machine.`] }],
    [
      to(gone, 'nonsense'),
      { destinations: [expect.stringContaining(`${gone} is not one of`), expect.stringContaining('nonsense is not one of')] },
    ],
    [to(elsewhere), { destinations: [expect.stringContaining(`Machine ${elsewhere} is not of cell c17`)] }],
    [{ ...to(), source: gone }, { source: [expect.stringContaining('is not one of the available choices.')] }],
    [{ ...to(), source: 'nonsense' }, { source: [expect.stringContaining('nonsense is not one of')] }],
    [{ ...to(), source: busy.id }, { source: [expect.stringContaining('is Commissioning')] }],
    [to(locked.id), { destinations: [`Machine ${locked.id} is locked.`] }],
    [to(few.id), { interfaces: [`Machine ${few.id} has fewer physical interfaces (1) than the source (2).`] }],
    [{ ...to(few.id), interfaces: 'false' }, { storage: [`Machine ${few.id} has fewer disks (1) than the source (2).`] }],
    [to(small.id), { storage: [expect.stringContaining(`Machine ${small.id} has a boot disk (sda, 90000000000 bytes) that is smaller`)] }],
    [{ destinations: good.id, ...both }, { source: ['This field is required.'] }],
    [{ source: source.id, ...both }, { destinations: ['This field is required.'] }],
    [{ ...to(), cell: 'c99' }, { cell: [expect.any(String)] }],
  ];
  for (const [fields, body] of refusals) {
    const answer = await clone(fields);
    expect([answer.status, answer.body], JSON.stringify(fields)).toEqual([400, body]);
  }
  expect((await clone({ ...to(), destinations: Array.from({ length: 101 }, () => good.id) })).status).toBe(400);
  expect((await clone(to(), 'ann')).status).toBe(403);
  expect((await at.ask('POST', 'machines/?op=clone', to(), 'nobody')).status).toBe(401);
  // The domain's records are counted now and then, for all machines.
  expect({ ...(await read(good.id)), domain: before.domain }).toEqual(before);
});

test('destinations are Ready or Failed testing, a source is in any settled state', async () => {
  const [source, one] = [await machine(), await machine()];
  const set = (id: string, status: number) => at.db.updateTable('machine').set({ status }).where('system_id', '=', id).execute();
  const as = async (id: string, status: number) => {
    await set(id, status);
    const { status: code } = await clone({ source: source.id, destinations: one.id, ...both });
    await set(id, lifecycle.ready.number);
    return code;
  };
  const [asSource, asDestination]: [string[], string[]] = [[], []];
  for (const state of machineStates) {
    if ((await as(source.id, lifecycle[state].number)) === 204) asSource.push(state);
    if ((await as(one.id, lifecycle[state].number)) === 204) asDestination.push(state);
  }
  expect(asSource).toEqual(machineStates.filter((state) => lifecycle[state].settled));
  expect(asDestination.toSorted()).toEqual(['failed_testing', 'ready']);
});
