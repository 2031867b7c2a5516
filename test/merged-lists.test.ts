/**
 * What a front makes of three cells' answers, beside one bare cell that has all their machines: the same lists, pages, orders, filters, counts
 * and look-ups. What is asked is drawn; a failure prints the seed.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemIdOf } from '../src/contract/ids.ts';
import { recordAll } from '../src/cell/db/event-store.ts';
import type { CellTables } from '../src/cell/db/schema.ts';
import { cellNumber } from './api-context.ts';
import { cellApi, type CellApi, type Fields, type Reply } from './cell-api.ts';
import type { TestDatabase } from './postgres.ts';

let bare: CellApi;
let front: CellApi;
const inEach = 5;
const cells = 3;
const machines = Array.from({ length: inEach * cells }, (_, n) => ({
  n,
  // 7 and 15 have no common divisor: names, times and states of the cells are shuffled into each other.
  hostname: `host-${String((n * 7) % 15).padStart(2, '0')}`,
  status: [0, 4, 6, 10][n % 4] ?? 0,
  owner: [null, 'ann', 'bob'][(n * 2) % 3] ?? null,
  zone_id: 1 + (n % 2),
  pool_id: n % 5 === 0 ? 7 : 0,
  cpu_count: 1 + ((n * 4) % 15),
  memory: 1024 * (1 + ((n * 11) % 15)),
  architecture: n % 6 === 0 ? 'arm64/generic' : 'amd64/generic',
  power_state: ['on', 'off', 'unknown'][n % 3] as 'on' | 'off' | 'unknown',
  status_since: new Date(Date.UTC(2026, 0, 1, 0, 0, (n * 8) % 15)),
  mac: `52:54:00:00:01:${String(n + 10)}`,
}));
type Row = (typeof machines)[number];

async function put({ db, transaction }: TestDatabase<CellTables>, number: number, rows: readonly Row[]): Promise<void> {
  const domain = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const { id: fabric } = await db
    .insertInto('fabric')
    .values({ name: `fabric-${rows[0]?.n}` })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { id: vlan_id } = await db
    .insertInto('vlan')
    .values({ fabric_id: fabric, vid: 0, name: 'untagged' })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const { n, mac, hostname, ...row } of rows) {
    const system_id = systemIdOf(number, 100_000 + n) ?? '';
    await db
      .insertInto('machine')
      .values({ ...row, hostname, system_id, domain_id: domain.id, power_type: 'manual' })
      .execute();
    await db.insertInto('interface').values({ system_id, name: 'eth0', mac, vlan_id }).execute();
    if (n % 3 !== 1)
      await db
        .insertInto('machine_tag')
        .values({ system_id, tag_id: n % 2 === 0 ? 21 : 22 })
        .execute();
    await db
      .insertInto('finding')
      .values({
        kind: 'foreign_data',
        subject: hostname,
        text: hostname,
        system_id,
        last_seen: new Date(Date.UTC(2026, 0, 2, 0, 0, (n * 8) % 15)),
      })
      .execute();
    const operation = {
      system_id,
      kind: 'test' as const,
      plan_version: 1,
      outcome: 'done' as const,
      requested_by: 'ann',
      deadline: new Date(),
    };
    await db
      .insertInto('operation')
      .values({ ...operation, started: new Date(Date.UTC(2026, 0, 3, 0, 0, (n * 4) % 15)) })
      .execute();
    await transaction((tx) => recordAll(tx, [{ kind: 'machine_updated', systemId: system_id, username: 'zoe', description: hostname }]));
  }
}

beforeAll(async () => {
  [bare, front] = await Promise.all([cellApi({ asked: 'cell' }), cellApi({ asked: 'front', others: 'mine' })]);
  await put(bare.database, cellNumber, machines);
  const databases = [front.database, ...(front.behind?.others ?? []).map((other) => other.database)];
  for (const [at, database] of databases.entries()) await put(database, cellNumber + at, machines.slice(at * inEach, (at + 1) * inEach));
});
afterAll(() => Promise.all([bare.close(), front.close()]));

const idIn = (number: (n: number) => number, n: number): string => systemIdOf(number(n), 100_000 + n) ?? '';
const inBare = (n: number): string => idIn(() => cellNumber, n);
const inFleet = (n: number): string => idIn((m) => cellNumber + Math.floor(m / inEach), n);

/** A drawn value; machines are named by number until it is known in which cell they are. */
type Drawn = string | { readonly ids: readonly number[] };
const fieldsFor = (id: (n: number) => string, drawn: Readonly<Record<string, Drawn | readonly string[]>>): Fields =>
  Object.fromEntries(
    Object.entries(drawn).map(([name, value]) => [name, typeof value === 'object' && 'ids' in value ? value.ids.map(id) : value]),
  );

type Shown = Record<string, unknown>;
/** What a machine is, ids and its domain aside. */
const shown = (reply: Reply): unknown => {
  expect(reply.status, reply.text).toBe(200);
  return reply
    .json<Shown[]>()
    .map((machine) => Object.fromEntries(Object.entries(machine).filter(([key]) => key !== 'system_id' && key !== 'resource_uri')));
};
const fields = 'hostname,status_name,owner,zone,pool,tag_names,cpu_count,memory,power_state,architecture,status_since';

const some = <T>(...of: T[]) => fc.subarray(of, { minLength: 1 });
const anyValue = {
  hostname: some(...machines.map((row) => row.hostname)),
  id: fc
    .subarray(
      machines.map((row) => row.n),
      { minLength: 1 },
    )
    .map((ids) => ({ ids })),
  not_id: fc
    .subarray(
      machines.map((row) => row.n),
      { minLength: 1 },
    )
    .map((ids) => ({ ids })),
  mac_address: some(...machines.map((row) => row.mac)),
  status: some('ready', 'deployed', 'new', 'allocated'),
  owner: some('ann', 'bob'),
  zone: fc.constantFrom('default', 'east'),
  not_in_zone: fc.constantFrom('default', 'east'),
  pool: fc.constantFrom('lab', 'default'),
  tags: fc.constantFrom('gpu', 'fast', 'gpu,fast'),
  not_tags: some('gpu', 'fast'),
  arch: fc.constantFrom('arm64', 'amd64'),
  power_state: fc.constantFrom('on', 'off'),
  cpu_count: fc.constantFrom('3', '9'),
  mem: fc.constantFrom('4096', '9000'),
};
/** At most two at once: more would seldom find anything. */
const drawnFilters = fc
  .subarray(Object.keys(anyValue) as (keyof typeof anyValue)[], { maxLength: 2 })
  .chain((names) =>
    fc.record(Object.fromEntries(names.map((name): [string, fc.Arbitrary<Drawn | readonly string[]>] => [name, anyValue[name]]))),
  );
const sort = fc.constantFrom('system_id', '-system_id', 'hostname', '-hostname', 'status', '-status', 'status_since', '-status_since');

/** All pages of a list, and how many there were. */
async function pages(cell: CellApi, path: string, given: Fields): Promise<{ pages: number; rows: unknown[] }> {
  const rows: unknown[] = [];
  let after: string | undefined;
  for (let page = 1; ; page += 1) {
    const reply = await cell.ask('ann', 'GET', path, { ...given, ...(after === undefined ? {} : { after }) });
    rows.push(...(shown(reply) as unknown[]));
    const next = reply.headers['muster-next'];
    if (typeof next !== 'string') return { pages: page, rows };
    expect(page).toBeLessThan(40);
    after = next;
  }
}

describe('machines', () => {
  test('any filter in any order, whole and in pages of any size', { timeout: 90_000 }, async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(drawnFilters, sort, fc.integer({ min: 1, max: 7 }), async (filters, order, limit) => {
        const more = { sort: order, fields };
        const whole = shown(await bare.ask('ann', 'GET', 'machines/', { ...fieldsFor(inBare, filters), ...more })) as unknown[];
        expect(shown(await front.ask('ann', 'GET', 'machines/', { ...fieldsFor(inFleet, filters), ...more }))).toEqual(whole);
        const paged = await pages(front, 'machines/', { ...fieldsFor(inFleet, filters), ...more, limit: String(limit) });
        expect(paged).toEqual(await pages(bare, 'machines/', { ...fieldsFor(inBare, filters), ...more, limit: String(limit) }));
        expect(paged.rows).toEqual(whole);
        found += whole.length;
      }),
      { numRuns: 30 },
    );
    // Not all of that was about nothing.
    expect(found).toBeGreaterThan(30);
  });

  test('without order and filter: every cell has its part', async () => {
    const all = await front.ask('ann', 'GET', 'machines/', { fields });
    expect(all.headers['muster-cells']).toBe('asked=3 answered=3');
    expect(shown(all)).toEqual(shown(await bare.ask('ann', 'GET', 'machines/', { fields })));
  });

  test('counts of any filter', async () => {
    await fc.assert(
      fc.asyncProperty(drawnFilters, async (filters) => {
        const [one, many] = await Promise.all([
          bare.ask('ann', 'GET', 'machines/?op=summary', fieldsFor(inBare, filters)),
          front.ask('ann', 'GET', 'machines/?op=summary', fieldsFor(inFleet, filters)),
        ]);
        expect(many.json()).toEqual(one.json());
      }),
      { numRuns: 30 },
    );
  });

  test('what is named: a MAC address, a name, what somebody has', async () => {
    for (const { mac } of machines)
      expect((await front.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: mac })).json()).toBe(true);
    expect((await front.ask('ann', 'GET', 'machines/?op=is_registered', { mac_address: '52:54:00:ff:ff:ff' })).json()).toBe(false);
    for (const who of ['ann', 'bob'] as const) {
      const names = async (cell: CellApi) =>
        (await cell.ask(who, 'GET', 'machines/?op=list_allocated')).json<Shown[]>().map((machine) => machine['hostname']);
      expect(await names(front)).toEqual(await names(bare));
    }
  });

  test('a wrong filter is refused with the same words', async () => {
    for (const wrong of [
      { colour: 'red' },
      { zone: 'nowhere' },
      { status: 'asleep' },
      { sort: 'colour' },
      { limit: '0' },
      { fields: 'colour' },
    ] as Fields[]) {
      const [one, many] = await Promise.all([bare.ask('ann', 'GET', 'machines/', wrong), front.ask('ann', 'GET', 'machines/', wrong)]);
      expect([many.status, many.text]).toEqual([one.status, one.text]);
      expect(one.status).toBe(400);
    }
  });
});

describe('records', () => {
  const texts = (reply: Reply, key: string) => {
    expect(reply.status, reply.text).toBe(200);
    return reply.json<Shown[]>().map((row) => row[key]);
  };
  test.each([
    ['findings/', 'text'],
    ['operations/', 'hostname'],
  ])('%s in their order, whole and in pages', async (path, key) => {
    const whole = texts(await bare.ask('ann', 'GET', path), key);
    expect(whole).toHaveLength(15);
    expect(texts(await front.ask('ann', 'GET', path), key)).toEqual(whole);
    for (const limit of ['1', '4', '100']) {
      const rows: unknown[] = [];
      let after: string | undefined;
      do {
        const reply = await front.ask('ann', 'GET', path, { limit, ...(after === undefined ? {} : { after }) });
        rows.push(...texts(reply, key));
        after = reply.headers['muster-next'] as string | undefined;
      } while (after !== undefined && rows.length < 50);
      expect([limit, rows]).toEqual([limit, whole]);
    }
  });

  test('events, newest first', async () => {
    const said = async (cell: CellApi, limit: string) =>
      (await cell.ask('ann', 'GET', 'events/?op=query', { owner: 'zoe', limit }))
        .json<{ events: { description: string }[] }>()
        .events.map((event) => event.description);
    // A page of one cell is in the order of its ids, over cells in that of time: the same set.
    expect((await said(front, '100')).toSorted()).toEqual((await said(bare, '100')).toSorted());
    expect(await said(front, '100')).toHaveLength(15);
    expect(await said(front, '4')).toHaveLength(4);
  });

  test('fabrics and VLANs of all', async () => {
    const fabrics = (await front.ask('ann', 'GET', 'fabrics/')).json<{ name: string; vlans: unknown[] }[]>();
    expect(fabrics.map((fabric) => [fabric.name, fabric.vlans.length])).toEqual([
      ['fabric-0', 1],
      ['fabric-5', 1],
      ['fabric-10', 1],
    ]);
  });
});
