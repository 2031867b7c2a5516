/** Constraints on networks over three cells, each of which knows only its own: by name, by space, and by an id that is in one of them. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CellTables } from '../src/cell/db/schema.ts';
import { systemIdOf } from '../src/contract/ids.ts';
import { cellNumber } from './api-context.ts';
import { cellApi, type CellApi, type Fields } from './cell-api.ts';
import type { TestDatabase } from './postgres.ts';

let front: CellApi;
/** Of each cell: two machines, one in the office, the other in the cell's own network as well. */
const places: { ids: string[]; cards: number[]; disks: number[]; subnet: number }[] = [];

async function idOf(
  query: { execute(db: CellApi['database']['db']): Promise<{ rows: { id: number }[] }> },
  { db }: TestDatabase<CellTables>,
) {
  return (await query.execute(db)).rows[0]?.id ?? 0;
}

async function furnish(database: TestDatabase<CellTables>, number: number): Promise<void> {
  const fabric = await idOf(sql`insert into fabric (name) values (${`fabric-${number}`}) returning id`, database);
  const vlan = (name: string, vid: number, space: number | null) =>
    idOf(sql`insert into vlan (fabric_id, vid, name, space_id) values (${fabric}, ${vid}, ${name}, ${space}) returning id`, database);
  const subnet = (name: string, on: number, cidr: string) =>
    idOf(sql`insert into subnet (vlan_id, cidr, name) values (${on}, ${cidr}, ${name}) returning id`, database);
  const office = await vlan('office', 0, 31);
  const own = await vlan('own', 10, number === 18 ? 32 : null);
  const subnets = [await subnet('office-net', office, `10.${number}.0.0/24`), await subnet(`own-${number}`, own, `10.${number}.1.0/24`)];
  const place = { ids: [] as string[], cards: [] as number[], disks: [] as number[], subnet: subnets[1]! };
  for (const n of [0, 1]) {
    const system_id = systemIdOf(number, 100_000 + n)!;
    // The further a cell, the cheaper its machines.
    await sql`insert into machine (system_id, hostname, domain_id, status, cpu_count)
      values (${system_id}, ${`m-${number}-${n}`}, (select id from domain limit 1), 4, ${40 - number + n})`.execute(database.db);
    const disk = await idOf(sql`insert into block_device (system_id, name, size) values (${system_id}, 'sda', 8e9) returning id`, database);
    await sql`update machine set boot_disk_id = ${disk} where system_id = ${system_id}`.execute(database.db);
    for (const [at, on] of (n === 0 ? [office] : [office, own]).entries()) {
      const card = await idOf(
        sql`insert into interface (system_id, name, mac, vlan_id) values (${system_id}, ${`eth${at}`}, ${`${number}-${n}-${at}`}, ${on}) returning id`,
        database,
      );
      await sql`insert into interface_link (interface_id, mode, subnet_id) values (${card}, 'auto', ${subnets[at]})`.execute(database.db);
      if (at === 1) place.cards.push(card);
    }
    place.ids.push(system_id);
    place.disks.push(disk);
  }
  places.push(place);
}

beforeAll(async () => {
  front = await cellApi({ asked: 'front', others: 'mine' });
  front.put('space', 31, { id: 31, name: 'office', description: '' });
  front.put('space', 32, { id: 32, name: 'storage', description: '' });
  for (const [at, { database }] of [front, ...front.behind!.others].entries())
    await furnish(database as TestDatabase<CellTables>, cellNumber + at);
});
afterAll(() => front.close());

const allocate = (fields: Fields) => front.ask('ann', 'POST', 'machines/?op=allocate', fields);
const free = async (): Promise<void> => {
  for (const { database } of [front, ...front.behind!.others])
    await sql`update machine set status = 4, owner = null, claim_id = null, confirm_by = null`.execute(database.db);
};

test('a space and a name mean the networks of all cells, an id those of one', async () => {
  const cases: readonly (readonly [Fields, string | undefined])[] = [
    [{ subnets: 'space:office' }, places[2]!.ids[0]],
    [{ subnets: 'space:storage' }, places[1]!.ids[1]],
    [{ not_subnets: 'space:undefined', interfaces: 'a:vid=10' }, places[1]!.ids[1]],
    [{ subnets: 'office-net', not_subnets: 'space:office' }, undefined],
    [{ fabrics: 'fabric-17' }, places[0]!.ids[0]],
    [{ subnets: String(places[0]!.subnet) }, places[0]!.ids[1]],
    [{ vlans: 'name:own' }, places[2]!.ids[1]],
  ];
  for (const [fields, expected] of cases) {
    const reply = await allocate({ ...fields, dry_run: 'true' });
    expect([fields, reply.status]).toEqual([fields, expected === undefined ? 409 : 200]);
    if (expected !== undefined) expect(reply.json()['system_id']).toBe(expected);
  }
  const unknown = await allocate({ subnets: 'space:moon' });
  expect([unknown.status, unknown.json()]).toEqual([400, { subnets: ["No such space: 'moon'."] }]);
});

test('the labels come back through ask, claim and confirm, and from a key', async () => {
  const fields = { interfaces: 'san:space=storage', storage: 'root:1', verbose: 'true' };
  const { ids, cards, disks } = places[1]!;
  const labels = () => front.ask('ann', 'POST', 'machines/?op=allocate', fields, { 'idempotency-key': 'labels' });
  const replies = [await labels(), await labels()];
  for (const reply of replies) {
    expect(reply.json()).toMatchObject({
      system_id: ids[1],
      owner: 'ann',
      constraints_by_type: {
        storage: { root: [disks[1]] },
        interfaces: { san: [cards[0]] },
        verbose_storage: { [ids[1]!]: { [String(disks[1])]: 'root' } },
        verbose_interfaces: { san: { [ids[1]!]: [cards[0]] } },
      },
    });
  }
  expect((await allocate({ system_id: ids[0]! })).json()['constraints_by_type']).toEqual({});
  await free();
});

test('what is refused is refused by all, and bridges come with the machine', async () => {
  expect((await allocate({ install_kvm: 'true' })).status).toBe(400);
  const reply = await allocate({ subnets: 'space:storage', bridge_all: 'true', bridge_fd: '0' });
  const bridges = reply.json<{ interface_set: { name: string; type: string }[] }>().interface_set.filter((nic) => nic.type === 'bridge');
  expect(bridges.map((nic) => nic.name).toSorted()).toEqual(['br-eth0', 'br-eth1']);
  await free();
});

test('explain adds up what all cells say, and a list is filtered by all', async () => {
  const explained = await front.ask('ann', 'GET', 'machines/?op=explain', { subnets: 'space:storage', cpu_count: '23' });
  expect(explained.json()).toEqual({
    ready: 6,
    matching: 1,
    ruled_out: { subnets: 5, cpu_count: 3 },
    matching_without: { subnets: 3, cpu_count: 1 },
  });
  const listed = await front.ask('ann', 'GET', 'machines/', { vlans: 'vid:10', not_subnets: 'space:storage', fields: 'hostname' });
  expect(listed.json<{ hostname: string }[]>().map((one) => one.hostname)).toEqual(['m-17-1', 'm-19-1']);
});

test('with a cell away: what names a machine is refused, what does not is answered without it', async () => {
  await front.behind!.others[1]!.stop();
  const list = (fields: Fields) => front.ask('ann', 'GET', 'machines/', { ...fields, fields: 'hostname' });
  expect((await list({ domain: 'nowhere.example' })).status).toBe(503);
  expect((await list({ hostname: 'm-17-1' })).status).toBe(503);
  const partial = await list({ vlans: 'vid:10' });
  expect([partial.status, partial.headers['muster-cells']]).toEqual([200, 'asked=3 answered=2 absent=c19']);
  expect((await front.ask('ann', 'GET', 'machines/?op=explain', { name: 'm-19-1' })).status).toBe(503);
  expect((await front.ask('ann', 'GET', 'machines/?op=explain', {})).json()).toMatchObject({ ready: 4 });
});
