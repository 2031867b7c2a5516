/** How PostgreSQL goes about matching, with 2,000 machines: by index, at one machine after the other, whatever is asked for. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellNumber } from '../../../test/api-context.ts';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { systemIdOf } from '../../contract/ids.ts';
import { preparedOnce } from '../../postgres/prepared-statements.ts';

const machines = 2_000;
let cell: CellApi;
let network: { vlan: number; subnet: number };

/** Something of everything: four interfaces, three links, five disks, a volume group, a partition and a file system, two tags and ten devices each. */
beforeAll(async () => {
  cell = await cellApi({ asked: 'cell' });
  const { db } = cell.database;
  const each = sql`from machine m cross join generate_series`;
  const ids = Array.from({ length: machines + 200 }, (_, n) => systemIdOf(cellNumber, n)).filter((id) => id !== undefined);
  await sql`insert into machine (system_id, hostname, domain_id, status, cpu_count, memory)
    select id, 'many-' || n, (select id from domain limit 1), case when n % 4 = 0 then 6 else 4 end, n % 64, 1024 * (n % 97)
    from unnest(${ids.slice(0, machines)}::text[]) with ordinality as m (id, n)`.execute(db);
  await sql`with f as (insert into fabric (name) values ('f') returning id)
    insert into vlan (fabric_id, vid, name) select f.id, n, 'v' || n from f, generate_series(0, 39) n`.execute(db);
  await sql`insert into subnet (vlan_id, cidr, name) select id, ('10.' || vid || '.0.0/16')::cidr, name from vlan`.execute(db);
  await sql`insert into interface (system_id, name, mac, vlan_id, link_speed)
    select m.system_id, 'eth' || n, m.system_id || n, v.id, 1000 * n ${each} (1, 4) n
    join vlan v on v.vid = (substr(m.hostname, 6)::int + n) % 40`.execute(db);
  await sql`insert into interface_link (interface_id, mode, subnet_id)
    select i.id, 'auto', s.id from interface i join subnet s on s.vlan_id = i.vlan_id where i.name <> 'eth4'`.execute(db);
  await sql`insert into block_device (system_id, name, size, tags)
    select m.system_id, 'sd' || n, n * 100e9, case when n > 2 then '{hdd}'::text[] else '{ssd}' end ${each} (1, 5) n`.execute(db);
  await sql`insert into partition (block_device_id, number, uuid, size) select id, 1, '', size from block_device where name = 'sd1'`.execute(
    db,
  );
  await sql`insert into filesystem (system_id, partition_id, fstype, uuid, mount_point)
    select b.system_id, p.id, 'ext4', '', '/' from partition p join block_device b on b.id = p.block_device_id`.execute(db);
  await sql`insert into storage_group (system_id, type, uuid, name) select m.system_id, 'lvm-vg', '', 'vg' from machine m`.execute(db);
  await sql`insert into storage_member (group_id, block_device_id, uuid)
    select g.id, b.id, '' from storage_group g join block_device b on b.system_id = g.system_id and b.name = 'sd5'`.execute(db);
  await sql`update block_device set partition_table_type = 'GPT' where name = 'sd1'`.execute(db);
  await sql`insert into machine_tag (system_id, tag_id) select m.system_id, n ${each} (21, 22) n where n = 21 or m.cpu_count % 2 = 0`.execute(
    db,
  );
  await sql`insert into node_device (system_id, bus, hardware_type, vendor_id, product_id, bus_number, device_number, pci_address)
    select m.system_id, 'PCIE', 0, '80' || n, lpad(n::text, 4, '0'), 0, n, n ${each} (10, 19) n`.execute(db);
  await sql`vacuum analyze`.execute(db);
  const { rows } = await sql<
    typeof network
  >`select v.id as vlan, s.id as subnet from vlan v join subnet s on s.vlan_id = v.id where v.vid = 7`.execute(db);
  network = rows[0]!;
});
afterAll(() => cell.close());

const asked: readonly (readonly [string, () => Fields])[] = [
  ['nothing', () => ({})],
  ['tags', () => ({ tags: 'gpu,fast', not_tags: 'none' })],
  ['subnets', () => ({ subnets: String(network.subnet), not_subnets: 'vid:39' })],
  ['vlans', () => ({ vlans: String(network.vlan), not_vlans: 'vid:8' })],
  ['fabrics', () => ({ fabrics: 'f', not_fabric_classes: '10g', link_speed: '4000' })],
  ['interfaces', () => ({ interfaces: 'a:vid=7,link_speed=2000;b:subnet=vid:8,not_tag=slow' })],
  ['storage', () => ({ storage: 'root:50(ssd),a:100(ssd),b:300(hdd),c:400(hdd)' })],
  ['devices', () => ({ devices: 'vendor_id=8012,product_id=0012' })],
  [
    'all at once',
    () => ({ tags: 'gpu', subnets: 'vid:7', interfaces: 'a:vid=7', storage: '50,200', devices: 'vendor_id=8012', cpu_count: '5' }),
  ],
];

/** Tables with a row or more for each machine. */
const large = ['interface', 'interface_link', 'block_device', 'partition', 'filesystem', 'storage_member', 'machine_tag', 'node_device'];

test.each(asked)(
  '%s: the cheapest is walked to by its index, and of nothing that all machines have is more than one read',
  async (_, fields) => {
    const { value, statements } = await cell.database.countStatements(() => cell.ask('ann', 'POST', 'machines/?op=allocate', fields()));
    expect(value.status, value.text.slice(0, 300)).toBe(200);
    expect(statements).toHaveLength(2);
    const { rows } = await sql<{
      'QUERY PLAN': string;
    }>`explain (generic_plan) ${sql.raw((statements[0] ?? '').replace(preparedOnce, ''))}`.execute(cell.database.db);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('machine_allocatable');
    expect(
      large.filter((table) => new RegExp(`Seq Scan on ${table}\\b`).test(plan)),
      plan,
    ).toEqual([]);
  },
);
