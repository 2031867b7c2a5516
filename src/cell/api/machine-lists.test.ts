/** Lists of machines: filters, pages, orders, chosen fields, and what they cost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { sql } from 'kysely';
import { Compile } from 'typebox/compile';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';
import { Machine } from '../../contract/resources/machine.ts';
import { machineFilters } from '../../contract/resources/machine-filters.ts';

let cell: CellApi;
let ids: string[];
const checkMachine = Compile(Machine);
type Shown = Record<string, unknown> & { readonly system_id: string; readonly hostname: string };

const list = async (fields: Fields = {}): Promise<Shown[]> => {
  const reply = await cell.ask('ann', 'GET', 'machines/', fields);
  expect(reply.status, reply.text.slice(0, 300)).toBe(200);
  return reply.json<Shown[]>();
};
const names = async (fields: Fields) => (await list(fields)).map((machine) => machine.hostname);

/** Ten machines that differ in everything that a list can be filtered by. */
beforeAll(async () => {
  cell = await cellApi({ others: 'empty' });
  const { db } = cell.database;
  ids = await cell.fleet(10, (n) => ({
    status: n < 5 ? 4 : n < 8 ? 6 : 0,
    owner: n >= 5 && n < 8 ? 'bob' : null,
    zone_id: n % 2 === 0 ? 1 : 2,
    pool_id: n < 2 ? 7 : 0,
    cpu_count: n + 1,
    memory: (n + 1) * 1024,
    architecture: n === 9 ? 'arm64/generic' : 'amd64/generic',
    power_state: n === 0 ? 'on' : 'off',
    agent_name: n === 6 ? 'juju' : '',
  }));
  const { id: fabric } = await db.insertInto('fabric').values({ name: 'fabric-0' }).returning('id').executeTakeFirstOrThrow();
  const { id: vlan } = await db
    .insertInto('vlan')
    .values({ fabric_id: fabric, vid: 0, name: 'untagged', mtu: 9000 })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { id: subnet } = await db
    .insertInto('subnet')
    .values({ vlan_id: vlan, cidr: '10.1.0.0/16', name: 'boot', gateway_ip: '10.1.0.1', dns_servers: ['10.1.0.2'] })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const [n, system_id] of ids.entries()) {
    const { id: nic } = await db
      .insertInto('interface')
      .values({ system_id, name: 'eth0', mac: `52:54:00:00:00:0${n}`, vlan_id: vlan })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db
      .insertInto('interface_link')
      .values({ interface_id: nic, mode: 'static', subnet_id: subnet, ip: `10.1.1.${n + 1}` })
      .execute();
    const { id: disk } = await db
      .insertInto('block_device')
      .values({ system_id, name: 'vda', size: 10e9, serial: `s${n}` })
      .returning('id')
      .executeTakeFirstOrThrow();
    await db.updateTable('machine').set({ boot_interface_id: nic, boot_disk_id: disk }).where('system_id', '=', system_id).execute();
  }
  await db
    .insertInto('machine_tag')
    .values([
      { system_id: ids[0] ?? '', tag_id: 21 },
      { system_id: ids[0] ?? '', tag_id: 22 },
      { system_id: ids[1] ?? '', tag_id: 21 },
    ])
    .execute();
});
afterAll(() => cell.close());

test('every body is what the contract says, with its network and disk', async () => {
  const all = await list();
  expect(all).toHaveLength(10);
  for (const machine of all) expect(checkMachine.Errors(machine)).toEqual([]);
  expect(all[0]).toMatchObject({
    system_id: ids[0],
    fqdn: 'node-0.c17.example',
    tag_names: ['fast', 'gpu'],
    ip_addresses: ['10.1.1.1'],
    storage: 10_000,
    boot_disk: { name: 'vda' },
    boot_interface: {
      mac_address: '52:54:00:00:00:00',
      effective_mtu: 9000,
      links: [{ mode: 'static', subnet: { cidr: '10.1.0.0/16', dns_servers: ['10.1.0.2'] } }],
    },
    default_gateways: { ipv4: { gateway_ip: '10.1.0.1' }, ipv6: { gateway_ip: null } },
  });
});

describe('filters', () => {
  const node = (...numbers: number[]) => numbers.map((n) => `node-${n}`);
  const cases: readonly (readonly [keyof typeof machineFilters, (given: string[]) => string | string[], number[]])[] = [
    ['id', (given) => given.slice(0, 2), [0, 1]],
    ['not_id', (given) => given.slice(0, 8), [8, 9]],
    ['system_id', (given) => given[3] ?? '', [3]],
    ['hostname', () => ['NODE-4', 'node-5.c17.example'], [4, 5]],
    ['not_hostname', () => ['node-0', 'node-1', 'node-2', 'node-3', 'node-4', 'node-5', 'node-6'], [7, 8, 9]],
    ['mac_address', () => ['52-54-00-00-00-07', '52:54:00:00:00:08'], [7, 8]],
    ['domain', () => 'elsewhere', []],
    ['not_domain', () => 'c17.example', []],
    ['agent_name', () => 'juju', [6]],
    ['not_agent_name', () => '', [6]],
    ['status', () => ['deployed', '0'], [5, 6, 7, 8, 9]],
    ['not_status', () => ['ready', 'deployed'], [8, 9]],
    ['zone', () => 'east', [1, 3, 5, 7, 9]],
    ['not_in_zone', () => 'east', [0, 2, 4, 6, 8]],
    ['pool', () => 'lab', [0, 1]],
    ['not_in_pool', () => 'default', [0, 1]],
    ['arch', () => 'arm64', [9]],
    ['not_arch', () => 'amd64/generic', [9]],
    ['tags', () => 'gpu,fast', [0]],
    ['not_tags', () => ['gpu', 'unheard-of'], [2, 3, 4, 5, 6, 7, 8, 9]],
    ['owner', () => 'bob', [5, 6, 7]],
    ['not_owner', () => 'bob', [0, 1, 2, 3, 4, 8, 9]],
    ['power_state', () => 'on', [0]],
    ['not_power_state', () => 'off', [0]],
    ['cpu_count', () => '8.5', [8, 9]],
    ['mem', () => '9216', [8, 9]],
    ['simple_status', () => ['new', 'deployed'], [5, 6, 7, 8, 9]],
    ['not_simple_status', () => ['Ready', 'failed', 'Rescue Mode'], [5, 6, 7, 8, 9]],
    ['cpu_speed', () => '1', []],
    ['link_speed', () => '0', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['subnets', () => 'cidr:10.1.0.0/16', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['not_subnets', () => 'name:boot', []],
    ['vlans', () => 'untagged', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['not_vlans', () => 'vid:7', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['fabrics', () => 'elsewhere', []],
    ['not_fabrics', () => 'fabric-0', []],
    ['fabric_classes', () => '10g', []],
    ['not_fabric_classes', () => '10g', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['deployment_target', () => 'memory', []],
    ['not_deployment_target', () => 'memory', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['storage', () => 'root:10.1', []],
    ['interfaces', () => 'a:ip=10.1.1.4', [3]],
    ['devices', () => 'vendor_id=10de', []],
  ];

  test.each(cases)('%s', async (name, value, found) => {
    expect(await names({ [name]: value(ids) })).toEqual(node(...found));
  });

  test('every filter of the contract has a case here', () => {
    expect(cases.map(([name]) => name).toSorted()).toEqual(Object.keys(machineFilters).toSorted());
  });

  test('together they are joined by and', async () => {
    expect(await names({ zone: 'east', status: 'ready', cpu_count: '3' })).toEqual(node(3));
  });

  test('unknown filters, zones, pools, tags and states are refused', async () => {
    const wrong = await cell.ask('ann', 'GET', 'machines/', {
      colour: 'red',
      zone: 'nowhere',
      pool: ['p', 'q'],
      tags: 'x',
      status: 'asleep',
      op: '',
      comment: 'fine',
    });
    expect(wrong.status).toBe(400);
    expect(wrong.json()).toMatchObject({
      colour: ['No such constraint.'],
      zone: ["No such zone: 'nowhere'."],
      pool: ['No such pool(s): p, q.'],
      tags: ["No such tag(s): 'x'."],
      status: [expect.stringContaining("'asleep' is not a valid choice.")],
    });
  });
});

describe('pages', () => {
  test.each(['system_id', '-system_id', 'hostname', '-hostname', 'status', '-status', 'status_since', '-status_since'])(
    'sorted by %s, three at a time, are the whole list without gap or repeat',
    async (sort) => {
      const whole = (await list({ sort })).map((machine) => machine.system_id);
      const seen: string[] = [];
      let after: string | undefined;
      for (let page = 0; page < 5; page += 1) {
        const reply = await cell.ask('ann', 'GET', 'machines/', {
          sort,
          limit: '3',
          fields: 'hostname',
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...reply.json<Shown[]>().map((machine) => machine.system_id));
        const next = reply.headers['muster-next'];
        if (typeof next !== 'string') break;
        after = next;
      }
      expect(seen).toEqual(whole);
      expect(new Set(seen).size).toBe(10);
    },
  );

  test.each(['x', '~', 'a~b~c', '99x~abc', "'~1", '%~1'])('an after that is no place (%s) is refused', async (after) => {
    expect((await cell.ask('ann', 'GET', 'machines/', { sort: 'status', after })).status).toBe(400);
  });

  test('whatever comes as a place is a place or an error of the caller', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.constant('0000-01-01T00:00:00.000Z'),
      fc.constant('2026-02-30T00:00:00.000Z'),
    );
    const place = fc.oneof(
      value,
      fc.tuple(value, fc.string({ unit: 'grapheme' })).map(([one, id]) => `${encodeURIComponent(one)}~${id}`),
      value.map((one) => `${encodeURIComponent(one)}~9`),
    );
    await fc.assert(
      fc.asyncProperty(
        place,
        fc.constantFrom('machines/?sort=status_since', 'machines/?sort=hostname', 'machines/?sort=-status', 'operations/', 'findings/'),
        async (after, path) => {
          expect([200, 400]).toContain((await cell.ask('ann', 'GET', path, { after, limit: '1' })).status);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('chosen fields come alone, with the two that name the machine', async () => {
    const [first] = await list({ fields: 'hostname,status_name,storage', limit: '1' });
    expect(first).toEqual({
      system_id: ids[0],
      hostname: 'node-0',
      status_name: 'Ready',
      storage: 10_000,
      resource_uri: `/MAAS/api/2.0/machines/${ids[0]}/`,
    });
    expect((await cell.ask('ann', 'GET', 'machines/', { fields: 'hostname,colour' })).status).toBe(400);
  });
});

test('a summary counts what a list would show', async () => {
  expect((await cell.ask('ann', 'GET', 'machines/?op=summary')).json()).toEqual({
    machines: 10,
    by_status: { ready: 5, deployed: 3, new: 2 },
    by_power_state: { on: 1, off: 9 },
    by_zone: { default: 5, east: 5 },
    by_pool: { lab: 2, default: 8 },
    locked: 0,
    operations: 0,
  });
  expect((await cell.ask('ann', 'GET', 'machines/?op=summary', { zone: 'east', owner: 'bob' })).json()).toMatchObject({
    machines: 2,
    by_status: { deployed: 2 },
  });
});

test('what a user has allocated', async () => {
  expect((await cell.ask('bob', 'GET', 'machines/?op=list_allocated')).json<Shown[]>().map((machine) => machine.hostname)).toEqual([
    'node-5',
    'node-6',
    'node-7',
  ]);
  expect((await cell.ask('ann', 'GET', 'machines/?op=list_allocated')).json()).toEqual([]);
});

test('as many statements for 2,300 machines as for 10; more than a page is streamed', async () => {
  const count = async (fields: Fields) => {
    const { value, statements } = await cell.database.countStatements(() => list(fields));
    return { machines: value.length, statements: statements.length };
  };
  expect(await count({})).toEqual({ machines: 10, statements: 2 });
  await sql`insert into machine (system_id, hostname, domain_id)
            select 'x' || lpad(n::text, 6, '0'), 'many-' || n, (select id from domain limit 1) from generate_series(1, 290) n`.execute(
    cell.database.db,
  );
  expect(await count({})).toEqual({ machines: 300, statements: 2 });
  expect(await count({ fields: 'hostname', sort: '-hostname' })).toEqual({ machines: 300, statements: 2 });
  // A page must know whether there is another before it begins; a front asks again where its first share ran out.
  if (through === 'cell')
    for (const limit of [10, 100, 250]) expect(await count({ limit: String(limit) })).toEqual({ machines: limit, statements: 3 });
  const one = await cell.database.countStatements(() => cell.ask('ann', 'GET', `machines/${ids[0]}/`));
  expect(one.statements).toHaveLength(1);
  await sql`insert into machine (system_id, hostname, domain_id)
            select 'y' || lpad(n::text, 6, '0'), 'more-' || n, (select id from domain limit 1) from generate_series(1, 2000) n`.execute(
    cell.database.db,
  );
  const { value: reply, statements } = await cell.database.countStatements(() => cell.ask('ann', 'GET', 'machines/'));
  expect(statements).toHaveLength(2);
  expect(reply.headers['content-length']).toBeUndefined();
  const all = reply.json<Shown[]>();
  expect(all).toHaveLength(2_300);
  expect(all.map((machine) => machine.system_id)).toEqual(all.map((machine) => machine.system_id).toSorted());
});
