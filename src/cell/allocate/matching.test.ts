/** Constraints on disks, interfaces, networks and devices: which machines they mean, and which of their parts answer the labels. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';

let cell: CellApi;
let ids: string[];
const network: Record<string, number> = {};
const disks = new Map<string, number>();
const cards = new Map<string, number>();

/** What the n-th machine has: disks in GB with tags, cards with their VLAN, speed and link. Each costs one more than the one before. */
const machines = [
  { disks: { sda: [100, 'ssd'] }, cards: { eth0: ['lan', 1000, 'lan-net', '10.1.0.10'] } },
  {
    disks: { sda: [50], sdb: [500, 'hdd'], sdc: [1000, 'hdd', 'slow'] },
    cards: { eth0: ['lan', 1000, 'lan-net'], eth1: ['storage', 10_000, 'san'] },
  },
  {
    disks: { sda: [200, 'nvme'], sdb: [300, 'nvme', 'ssd'], sdc: [250, 'ssd'] },
    cards: { eth0: ['storage', 25_000, 'san'], eth1: ['apart', 100, undefined] },
  },
  { disks: { sda: [100], sdb: [80, 'hdd'], sdc: [900] }, cards: { eth0: ['lan', 1000, 'lan-net'], eth1: ['lan', 1000, undefined] } },
] as const;

async function idOf(query: { execute(db: CellApi['database']['db']): Promise<{ rows: { id: number }[] }> }): Promise<number> {
  return (await query.execute(cell.database.db)).rows[0]?.id ?? 0;
}

beforeAll(async () => {
  cell = await cellApi({ others: 'empty' });
  cell.put('space', 31, { id: 31, name: 'office', description: '' });
  cell.put('space', 32, { id: 32, name: 'data', description: '' });
  ids = await cell.fleet(4, (n) => ({ cpu_count: n + 1, cpu_speed: 1000 * (n + 1), memory: 0, ephemeral: n === 3 }));
  const { db } = cell.database;
  const fabrics = { east: '10g', west: null };
  for (const [name, kind] of Object.entries(fabrics))
    network[name] = await idOf(sql`insert into fabric (name, class_type) values (${name}, ${kind}) returning id`);
  const vlans = [
    ['lan', 'east', 0, 31],
    ['storage', 'east', 10, 32],
    ['apart', 'west', 20, null],
  ] as const;
  for (const [name, fabric, vid, space] of vlans)
    network[name] = await idOf(
      sql`insert into vlan (fabric_id, vid, name, space_id) values (${network[fabric]}, ${vid}, ${name}, ${space}) returning id`,
    );
  const subnets = [
    ['lan-net', 'lan', '10.1.0.0/24'],
    ['san', 'storage', 'fd00:1::/64'],
    ['empty', 'lan', '10.9.0.0/24'],
  ] as const;
  for (const [name, vlan, cidr] of subnets)
    network[name] = await idOf(sql`insert into subnet (vlan_id, cidr, name) values (${network[vlan]}, ${cidr}, ${name}) returning id`);
  for (const [n, machine] of machines.entries()) {
    for (const [name, [size, ...tags]] of Object.entries(machine.disks)) {
      const id = await idOf(
        sql`insert into block_device (system_id, name, size, tags) values (${ids[n]}, ${name}, ${size * 1e9}, ${tags}::text[]) returning id`,
      );
      disks.set(`${n}${name}`, id);
    }
    await sql`update machine set boot_disk_id = ${disks.get(`${n}sda`)} where system_id = ${ids[n]}`.execute(db);
    for (const [name, [vlan, speed, subnet, ip]] of Object.entries(
      machine.cards as Record<string, readonly [string, number, string?, string?]>,
    )) {
      const id = await idOf(sql`insert into interface (system_id, name, mac, vlan_id, link_speed, tags)
        values (${ids[n]}, ${name}, ${`52:54:00:00:0${n}:0${name.at(-1)}`}, ${network[vlan]}, ${speed}, ${name === 'eth1' ? ['second'] : []}::text[]) returning id`);
      cards.set(`${n}${name}`, id);
      if (subnet !== undefined)
        await sql`insert into interface_link (interface_id, mode, subnet_id, ip)
          values (${id}, ${ip === undefined ? 'auto' : 'static'}, ${network[subnet]}, ${ip ?? null})`.execute(db);
    }
  }
  // The last has been laid out: / on a partition of sda, another partition free, sdb taken by a volume group.
  const [sda, sdb] = [disks.get('3sda'), disks.get('3sdb')];
  await sql`update machine set storage_layout = 'flat' where system_id = ${ids[3]}`.execute(db);
  await sql`update block_device set partition_table_type = 'GPT' where id = ${sda}`.execute(db);
  const part = (number: number, gb: number) =>
    idOf(
      sql`insert into partition (block_device_id, number, uuid, size, tags) values (${sda}, ${number}, 'u', ${gb * 1e9}, '{fast}') returning id`,
    );
  network['root'] = await part(1, 60);
  network['free'] = await part(2, 40);
  await sql`insert into filesystem (system_id, partition_id, fstype, uuid, mount_point) values (${ids[3]}, ${network['root']}, 'ext4', 'u', '/')`.execute(
    db,
  );
  const group = await idOf(
    sql`insert into storage_group (system_id, type, uuid, name) values (${ids[3]}, 'lvm-vg', 'u', 'vg0') returning id`,
  );
  await sql`insert into storage_member (group_id, block_device_id, uuid) values (${group}, ${sdb}, 'u')`.execute(db);
  await sql`insert into node_device (system_id, bus, hardware_type, vendor_id, product_id, product_name, commissioning_driver, bus_number, device_number)
    values (${ids[2]}, 'PCIE', 5, '10de', '1eb8', 'Tesla T4', 'nvidia', 1, 0), (${ids[0]}, 'USB', 0, '1d6b', '0002', 'hub', 'hub', 1, 1)`.execute(
    db,
  );
});
afterAll(() => cell.close());

/** Machines of a list by their places. */
const listed = async (fields: Fields): Promise<number[]> => {
  const reply = await cell.ask('ann', 'GET', 'machines/', { ...fields, fields: 'hostname' });
  expect(reply.status, reply.text).toBe(200);
  return reply.json<{ system_id: string }[]>().map(({ system_id }) => ids.indexOf(system_id));
};
const dryRun = (fields: Fields) => cell.ask('ann', 'POST', 'machines/?op=allocate', { ...fields, dry_run: 'true' });

/** A constraint, and the machines that it means. `VLAN` and the like stand for ids. */
const cases: readonly (readonly [string, string | readonly string[], number[]])[] = [
  ['subnets', 'lan-net', [0, 1, 3]],
  ['subnets', ['lan-net', 'san'], [1]],
  ['subnets', 'name:lan-net,cidr:fd00:1::/64', [1]],
  ['subnets', '10.1.0.7/24', [0, 1, 3]],
  ['subnets', 'ip:fd00:1::7', [1, 2]],
  ['subnets', 'vid:10', [1, 2]],
  ['subnets', 'space:data', [1, 2]],
  ['subnets', 'space:32', [1, 2]],
  ['subnets', 'fabric:east', [0, 1, 2, 3]],
  ['subnets', 'vlan:name:storage', [1, 2]],
  ['subnets', 'vlan:fabric:west', []],
  ['subnets', 'interface:mac:52-54-00-00-01-01', [1, 2]],
  ['subnets', 'id:1', []],
  ['subnets', 'empty', []],
  ['not_subnets', ['space:office', 'space:undefined'], [2]],
  ['not_subnets', 'san', [0, 3]],
  ['not_subnets', 'nobody-has-it', [0, 1, 2, 3]],
  ['vlans', 'storage', [1, 2]],
  ['vlans', 'vid:20', [2]],
  ['vlans', 'untagged', [0, 1, 3]],
  ['vlans', ['storage', 'space:undefined'], [2]],
  ['vlans', 'subnet:cidr:10.1.0.0/24', [0, 1, 3]],
  ['not_vlans', 'space:office,apart', []],
  ['not_vlans', 'fabric:west', [0, 1, 3]],
  ['fabrics', 'west', [2]],
  ['fabrics', ['west', 'east'], [0, 1, 2, 3]],
  ['not_fabrics', 'west', [0, 1, 3]],
  ['fabric_classes', '10g', [0, 1, 2, 3]],
  ['not_fabric_classes', '10g', []],
  ['link_speed', '10000', [1, 2]],
  ['link_speed', ['25000', '99999'], [2]],
  ['cpu_speed', '2500', [2, 3]],
  ['deployment_target', 'memory', [3]],
  ['not_deployment_target', ['memory'], [0, 1, 2]],
  ['devices', 'vendor_id=0x10DE', [2]],
  ['devices', 'vendor_id=10de,product_name=Tesla T4,commissioning_driver=nvidia', [2]],
  ['devices', 'vendor_id=10de,product_id=0002', []],
  ['storage', '60', [0, 2, 3]],
  ['storage', 'root:60(ssd)', [0]],
  ['storage', '1,500', [1, 3]],
  ['storage', '1,500(hdd),1000(slow)', [1]],
  // What is for two tags is found before what any disk would do for.
  ['storage', '1,a:200(ssd),b:200(nvme,ssd)', [2]],
  ['storage', '1,a:300,b:300', [1]],
  ['storage', '1,80(hdd)', [1]],
  ['storage', 'root:1,p:40(partition,fast)', [3]],
  ['storage', 'root:1,p:41(partition)', []],
  ['interfaces', 'a:space=office', [0, 1, 3]],
  ['interfaces', 'a:space=office;b:space=data', [1]],
  ['interfaces', 'a:vid=10,vid=20,link_speed=20000', [2]],
  ['interfaces', 'a:subnet_cidr=10.1.0.0/24,not_tag=second', [0, 1, 3]],
  ['interfaces', 'a:tag=second,mode=unconfigured', [2, 3]],
  ['interfaces', 'a:fabric_class=10g,not_fabric=west,type=physical,name=eth1', [1, 3]],
  ['interfaces', 'a:ip=10.1.0.10', [0]],
  ['interfaces', 'a:mode=static', [0]],
  ['interfaces', 'a:hostname=NODE-2,not_vlan=storage', [2]],
  ['interfaces', 'a:subnet=space:data', [1, 2]],
  ['interfaces', 'a:id=1', []],
];

describe.each(cases)('%s=%j', (name, value, found) => {
  test('lists and allocates what meets it', async () => {
    expect(await listed({ [name]: value })).toEqual(found);
    const reply = await dryRun({ [name]: value });
    if (found.length === 0) expect(reply.status).toBe(409);
    else expect(ids.indexOf(String(reply.json()['system_id']))).toBe(found[0]);
  });
});

test.each([
  ['storage', 'root:1,', 'Malformed storage constraint, "root:1,".'],
  ['interfaces', 'a:colour=red', `Malformed interfaces constraint, "a:colour=red": 'colour' is no key of interfaces.`],
  ['devices', 'colour=red', "Unknown devices constraint: 'colour=red"],
  ['subnets', 'space:nowhere', "No such space: 'nowhere'."],
  ['vlans', 'vid:5000', 'VLAN tag (VID) out of range (0-4094; 0 for untagged.)'],
  ['subnets', 'cidr:10.0.0.0', "'10.0.0.0' is not a network, such as 10.0.0.0/24."],
  ['interfaces', 'a:ip=10.0.0.0/8', "'10.0.0.0/8' is not an IP address."],
])('%s=%s is refused, in a list as in an allocation', async (name, value, text) => {
  for (const reply of [await dryRun({ [name]: value }), await cell.ask('ann', 'GET', 'machines/', { [name]: value })]) {
    expect([reply.status, reply.json()]).toEqual([400, { [name]: [text] }]);
  }
});

test('what is not done is refused, and nothing is taken', async () => {
  for (const name of ['install_kvm', 'register_vmhost', 'install_rackd']) {
    const reply = await cell.ask('ann', 'POST', 'machines/?op=allocate', { [name]: 'true' });
    expect([name, reply.status]).toEqual([name, 400]);
    expect((await dryRun({ [name]: 'false', bridge_type: 'ovs', bridge_fd: '15', bridge_all: 'true', bridge_stp: 'false' })).status).toBe(
      200,
    );
  }
  expect((await dryRun({ bridge_type: 'odd' })).status).toBe(400);
  expect((await cell.ask('ann', 'GET', 'machines/?op=list_allocated')).json()).toEqual([]);
});

describe('the reply says which parts answer which label', () => {
  const storage = 'root:100(nvme),one:100(ssd),two:100(nvme)';
  const interfaces = 'front:vlan=storage;any:link_speed=1';
  const byType = () => ({
    storage: { root: [disks.get('2sda')], one: [disks.get('2sdc')], two: [disks.get('2sdb')] },
    interfaces: { front: [cards.get('2eth0')], any: [cards.get('2eth0'), cards.get('2eth1')] },
  });

  test('of a dry run, also with a partition, and without labels nothing', async () => {
    const reply = await dryRun({ storage, interfaces });
    expect(reply.json()['constraints_by_type']).toEqual(byType());
    expect((await dryRun({ storage: 'a:1,40(partition)' })).json()['constraints_by_type']).toEqual({ storage: { a: [disks.get('3sda')] } });
    expect((await dryRun({ storage: 'a:1,b:1(partition)' })).json()['constraints_by_type']).toEqual({
      storage: { a: [disks.get('3sda')], b: [`partition:${network['free']}`] },
    });
    expect((await dryRun({ storage: '1' })).json()['constraints_by_type']).toEqual({ storage: {} });
    expect((await dryRun({ mem: '0' })).json()['constraints_by_type']).toEqual({});
  });

  test('of an allocation, also when it is repeated with its key; every id is in the body', async () => {
    const key = { 'idempotency-key': 'labels' };
    const fields = { storage, interfaces, verbose: 'true' };
    const replies = [
      await cell.ask('ann', 'POST', 'machines/?op=allocate', fields, key),
      await cell.ask('ann', 'POST', 'machines/?op=allocate', fields, key),
    ];
    const { storage: wanted, interfaces: cardsWanted } = byType();
    for (const reply of replies) {
      const body = reply.json<{
        system_id: string;
        constraints_by_type: unknown;
        blockdevice_set: { id: number }[];
        interface_set: { id: number }[];
      }>();
      expect(body.constraints_by_type).toEqual({
        storage: wanted,
        interfaces: cardsWanted,
        verbose_storage: { [ids[2]!]: Object.fromEntries(Object.entries(wanted).map(([label, [id]]) => [String(id), label])) },
        verbose_interfaces: Object.fromEntries(Object.entries(cardsWanted).map(([label, list]) => [label, { [ids[2]!]: list }])),
      });
      const there = (set: readonly { id: number }[]) => set.map(({ id }) => id);
      expect(there(body.blockdevice_set)).toEqual(expect.arrayContaining(Object.values(wanted).flat()));
      expect(there(body.interface_set)).toEqual(expect.arrayContaining(Object.values(cardsWanted).flat()));
    }
    const shown = await cell.ask('ann', 'GET', `machines/${ids[2]}/`);
    expect(shown.json()['constraints_by_type']).toEqual({});
    expect((await cell.ask('ann', 'POST', `machines/${ids[2]}/?op=release`)).status).toBe(200);
  });

  test('bridges come with the allocation that asks for them', async () => {
    await sql`update machine set status = 4, owner = null`.execute(cell.database.db);
    const fields = { system_id: ids[0]!, bridge_all: 'true', interfaces: 'lan:name=eth0' };
    const reply = await cell.ask('ann', 'POST', 'machines/?op=allocate', fields);
    const body = reply.json<{ constraints_by_type: unknown; interface_set: { name: string; type: string }[] }>();
    expect(body.constraints_by_type).toEqual({ interfaces: { lan: [cards.get('0eth0')] } });
    expect(body.interface_set).toMatchObject([
      { name: 'eth0', type: 'physical' },
      { name: 'br-eth0', type: 'bridge' },
    ]);
    await sql`update machine set status = 4, owner = null`.execute(cell.database.db);
  });
});

describe('explain', () => {
  const explain = async (fields: Fields) => (await cell.ask('ann', 'GET', 'machines/?op=explain', fields)).json();
  test('says what each constraint rules out, and what would fit without it', async () => {
    await sql`update machine set status = 4, owner = null`.execute(cell.database.db);
    expect(await explain({ storage: '60', link_speed: '10000', cpu_count: '4' })).toEqual({
      ready: 4,
      matching: 0,
      ruled_out: { cpu_count: 3, link_speed: 2, storage: 1 },
      matching_without: { cpu_count: 1, link_speed: 1, storage: 0 },
    });
    expect(await explain({})).toEqual({ ready: 4, matching: 4, ruled_out: {}, matching_without: {} });
    expect((await cell.ask('ann', 'GET', 'machines/?op=explain', { colour: 'red' })).status).toBe(400);
    expect((await cell.ask(undefined, 'GET', 'machines/?op=explain')).status).toBe(401);
  });
  test('is in the text of a refusal, behind the sentence of MAAS', async () => {
    const reply = await dryRun({ storage: 'root:60', link_speed: '50000' });
    const [sentence, ...why] = reply.text.split('\n');
    expect(sentence).toBe(
      `No available machine matches constraints: [${
        through === 'front' ? "('storage', ['root:60']), ('link_speed', ['50000'])" : "('link_speed', ['50000']), ('storage', ['root:60'])"
      }] (resolved to "${through === 'front' ? 'storage=root:60 link_speed=50000.0' : 'link_speed=50000.0 storage=root:60'}")`,
    );
    expect(why.join('\n')).toMatch(/link_speed (rules out )?4, (by )?storage (rules out )?1/);
  });
});
