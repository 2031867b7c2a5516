/** Lists of thousands of machines: as many statements as for ten, a bounded part of them in memory, and no connection for who reads slowly. */
import { request, type IncomingMessage } from 'node:http';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellNumber } from '../../../test/api-context.ts';
import { cellApi, type CellApi } from '../../../test/cell-api.ts';
import { keyOf } from '../../../test/through-front.ts';
import { systemIdOf } from '../../contract/ids.ts';
import { oauthHeader } from '../../http/oauth.ts';
import { machinesAtOnce, streamMachines, type Selection } from '../db/machine-stream.ts';
import { allParts } from '../db/machine-read.ts';
import { jsonList } from './json-list.ts';

const most = 2_000;
let cell: CellApi;
let ids: string[];
let url: string;

beforeAll(async () => {
  cell = await cellApi({ asked: 'cell' });
  const { db } = cell.database;
  ids = Array.from({ length: most + 200 }, (_, n) => systemIdOf(cellNumber, n))
    .filter((id) => id !== undefined)
    .slice(0, most);
  await sql`insert into machine (system_id, hostname, domain_id, status)
    select id, 'many-' || n, (select id from domain limit 1), case when n <= 10 then 4 when n <= 500 then 6 else 10 end
    from unnest(${ids}::text[]) with ordinality as m (id, n)`.execute(db);
  await sql`insert into interface (system_id, name, mac) select m.system_id, 'eth' || n, m.system_id || n from machine m, generate_series(1, 4) n`.execute(
    db,
  );
  await sql`insert into block_device (system_id, name, size) select m.system_id, 'sd' || n, 1e12 from machine m, generate_series(1, 4) n`.execute(
    db,
  );
  ({ url } = await cell.server.listen({ host: '127.0.0.1', port: 0 }));
});
afterAll(() => cell.close());

/** Cursors that are open at the server. */
async function held(): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    select count(*) as held from pg_stat_activity
    where datname = current_database() and application_name like '%cursors' and xact_start is not null`.execute(cell.database.db);
  return rows[0]?.held ?? -1;
}

/** A list over a socket; nothing is read before somebody says so. */
function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(`${url}/MAAS/api/2.0/${path}`, { headers: { authorization: oauthHeader(keyOf('ann')) } }, (reply) => resolve(reply.pause()))
      .on('error', reject)
      .end();
  });
}

async function textOf(reply: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of reply) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

test.each([
  [10, { status: 'ready' }],
  [500, { status: ['ready', 'deployed'] }],
  [2_000, {}],
  [2_000, { sort: '-hostname' }],
])('%i machines are two statements, one for all of them', async (count, fields) => {
  const { value, statements } = await cell.database.countStatements(() => cell.ask('ann', 'GET', 'machines/', fields));
  const machines = value.json<{ system_id: string; interface_set: unknown[]; blockdevice_set: unknown[] }[]>();
  expect([machines.length, statements.length]).toEqual([count, 2]);
  expect(new Set(machines.map((one) => one.system_id)).size).toBe(count);
  expect(machines.every((one) => one.interface_set.length === 4 && one.blockdevice_set.length === 4)).toBe(true);
  expect(await held()).toBe(0);
});

test('no more than a page is held, whoever reads', async () => {
  const selection: Selection = { conditions: [], order: { by: 'system_id', falling: false }, after: undefined };
  const seen: number[] = [];
  const { statements } = await cell.database.countStatements(async () => {
    for await (const rows of streamMachines(cell.database, selection, allParts)) seen.push(rows.length);
  });
  expect(statements).toHaveLength(1);
  expect(seen.slice(0, 2)).toEqual([50, 50]);
  expect(Math.max(...seen)).toBe(machinesAtOnce);
  expect(seen.reduce((sum, rows) => sum + rows, 0)).toBe(most);
});

test('a reader that stops holds up what is read, and the pages made for him are few', async () => {
  let pages = 0;
  let isOver = false;
  async function* endless() {
    try {
      for (;;) {
        pages += 1;
        yield Array.from({ length: 100 }, () => ({ text: 'x'.repeat(5_000) }));
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      isOver = true;
    }
  }
  const { body } = await jsonList(endless());
  const stream = body as NodeJS.ReadableStream & { destroy(): void };
  stream.once('readable', () => stream.read(1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  // Two before the reply begins, and the one that is being written.
  expect(pages).toBeLessThanOrEqual(3);
  stream.destroy();
  await expect.poll(() => isOver).toBe(true);
});

test('slow clients keep no connection and get the whole list; others are served meanwhile', async () => {
  const before = process.memoryUsage().rss;
  const slow = await Promise.all(Array.from({ length: 4 }, () => open('machines/')));
  expect(await held()).toBeLessThanOrEqual(3);
  expect((await cell.ask('ann', 'GET', 'machines/', { limit: '5' })).json()).toHaveLength(5);
  await expect.poll(held, { timeout: 10_000 }).toBe(0);
  // Four times 2,000 machines would be far more.
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  for (const reply of slow) expect((JSON.parse(await textOf(reply)) as { system_id: string }[]).map((one) => one.system_id)).toEqual(ids);
  expect(await held()).toBe(0);
});

test('a client that goes gives the connection back at once, and HEAD never keeps one', async () => {
  const reply = await open('machines/');
  reply.destroy();
  const head = await fetch(`${url}/MAAS/api/2.0/machines/`, { method: 'HEAD', headers: { authorization: oauthHeader(keyOf('ann')) } });
  expect(head.status).toBe(200);
  await expect.poll(held, { timeout: 1_000 }).toBe(0);
});

test('what stops in the middle goes on behind the last machine, in every order, also from a list of ids', async () => {
  const orders = [
    { by: 'system_id', falling: false },
    { by: 'hostname', falling: true },
    { by: 'status', falling: false },
    { by: 'status_since', falling: true },
  ] as const;
  const some = ids.slice(0, 330);
  const conditions = [{ name: 'id', not: false, test: { is: 'system_id', of: some } }] as const;
  const selections: Selection[] = [...orders.map((order) => ({ conditions, order, after: undefined })), { ids: some.toReversed() }];
  const parts = { interfaces: false, disks: false, scripts: false };
  for (const selection of selections) {
    const whole: string[] = [];
    for await (const rows of streamMachines(cell.database, selection, parts)) whole.push(...rows.map((row) => row.system_id));
    const broken: string[] = [];
    // Every cursor is closed as soon as it has given one page.
    const hasty: Pick<typeof cell.database, 'db' | 'openCursor'> = {
      db: cell.database.db,
      openCursor: async (query) => {
        const cursor = await cell.database.openCursor(query);
        if (!cursor) throw new Error('no cursor is free');
        return {
          get isOpen() {
            return cursor.isOpen;
          },
          next: async (rows) => {
            const read = await cursor.next(rows);
            await cursor.close();
            return read;
          },
          close: () => cursor.close(),
        };
      },
    };
    for await (const rows of streamMachines(hasty, selection, parts)) broken.push(...rows.map((row) => row.system_id));
    expect(whole).toHaveLength(some.length);
    expect(broken).toEqual(whole);
    const without: string[] = [];
    for await (const rows of streamMachines({ db: cell.database.db, openCursor: async () => undefined }, selection, parts))
      without.push(...rows.map((row) => row.system_id));
    expect(without).toEqual(whole);
  }
});
