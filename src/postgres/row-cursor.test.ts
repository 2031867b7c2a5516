/** Rows a few at a time: one statement, a few connections, and none that a slow reader keeps. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql, type RawBuilder } from 'kysely';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { openDatabase, type Database } from './database.ts';
import { TookTooLong } from './database-errors.ts';
import type { RowCursor } from './row-cursor.ts';

/** What comes by itself may take its time where all cores are busy. */
const slow = { timeout: 10_000 };

let database: TestDatabase<object>;
beforeAll(async () => {
  database = await testDatabase<object>([], { cursors: { cursors: 2, idleMs: 150, openMs: 30_000 } });
});
afterAll(() => database.drop());

const numbers = (count: number) => sql<{ n: number }>`select n::int8 as n from generate_series(1, ${count}::int) n`;

/** A cursor that there must be. */
async function open<Row>(query: RawBuilder<Row>, at: Database<object> = database): Promise<RowCursor<Row>> {
  const cursor = await at.openCursor(query);
  if (!cursor) throw new Error('no cursor is free');
  return cursor;
}

/** Connections that a cursor has open now. */
async function held(): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    select count(*) as held from pg_stat_activity
    where datname = current_database() and application_name like '%cursors' and xact_start is not null`.execute(database.db);
  return rows[0]?.held ?? -1;
}

test('all rows, as they are, in one statement however many there are', async () => {
  for (const count of [0, 1, 10, 11, 2_000]) {
    const { value, statements } = await database.countStatements(async () => {
      const cursor = await open(numbers(count));
      const rows: { n: number }[] = [];
      while (cursor.isOpen) {
        const more = await cursor.next(10);
        expect(more.length).toBeLessThanOrEqual(10);
        rows.push(...more);
      }
      return rows;
    });
    expect(value.map((row) => row.n)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    expect(statements).toHaveLength(1);
  }
  expect(await held()).toBe(0);
});

test('a slow reader keeps no connection, and is told that the cursor is closed', async () => {
  const cursor = await open(numbers(100));
  await cursor.next(10);
  await expect.poll(() => cursor.isOpen, slow).toBe(false);
  await expect.poll(held, slow).toBe(0);
  await expect(cursor.next(10)).rejects.toThrow('closed');
  await cursor.close();
});

test('who reads briskly is not hurried by what the server needs', async () => {
  const cursor = await open(sql<{ n: number }>`select n, pg_sleep(0.05) from generate_series(1, 12) n`);
  let rows = 0;
  while (cursor.isOpen) rows += (await cursor.next(4)).length;
  expect(rows).toBe(12);
});

test('when all are in use there is none, and nobody waits; statements elsewhere have their own connections', async () => {
  // Patient, as two connections may take long to make: the first would be closed before the second is there.
  await using patient: Database<object> = openDatabase({
    ...database.address,
    applicationName: 'patient',
    cursors: { cursors: 2, idleMs: 60_000 },
  });
  const both = await Promise.all([1, 2].map(() => open(numbers(50), patient)));
  for (const one of both) await one.next(1);
  expect(await held()).toBe(2);
  const { value, statements } = await patient.countStatements(() => patient.openCursor(numbers(1)));
  expect([value, statements]).toEqual([undefined, []]);
  expect((await sql<{ one: number }>`select 1 as one`.execute(patient.db)).rows).toEqual([{ one: 1 }]);
  for (const one of both) await one.close();
  expect(await held()).toBe(0);
  expect(await (await open(numbers(1), patient)).next(2)).toEqual([{ n: 1 }]);
});

test('those that nobody reads on end by themselves, and others have their turn', async () => {
  const both = await Promise.all([1, 2].map(() => open(numbers(50))));
  await expect.poll(() => both.map((one) => one.isOpen), slow).toEqual([false, false]);
  await expect.poll(async () => (await database.openCursor(numbers(1)))?.next(2), slow).toEqual([{ n: 1 }]);
});

test('it writes nothing, its errors are explained, and the connection is as good as new', async () => {
  await expect((await open(sql`create table t ()`)).next(1)).rejects.toThrow('read-only');
  await expect((await open(sql`select 1 / (3 - n) from generate_series(1, 5) n`)).next(5)).rejects.toThrow('division by zero');
  expect(await (await open(numbers(1))).next(5)).toEqual([{ n: 1 }]);
  // The server ends what failed in its own time.
  await expect.poll(held, slow).toBe(0);
});

test('a server that is cut off under it ends it, closed or read on', async () => {
  await using patient: Database<object> = openDatabase({ ...database.address, applicationName: 'patient' });
  const end = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%cursors'`.execute(
      database.db,
    );
  const [read, closed] = [await open(numbers(100), patient), await open(numbers(100), patient)];
  await Promise.all([read.next(1), closed.next(1)]);
  await end();
  await expect(read.next(1)).rejects.toThrow(/away|terminat/i);
  await closed.close();
  expect(await (await open(numbers(1), patient)).next(5)).toEqual([{ n: 1 }]);
});

test('the server itself ends what a hung process leaves open', async () => {
  const hasty: Database<object> = openDatabase({ ...database.address, applicationName: 'hasty', cursors: { openMs: -9_800 } });
  try {
    const cursor = await open(sql`select n, pg_sleep(0.05) from generate_series(1, 100) n`, hasty);
    await expect(cursor.next(100)).rejects.toBeInstanceOf(TookTooLong);
  } finally {
    await hasty.close();
  }
});
