import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { DatabaseAway, TookTooLong, TransactionConflict, UniqueViolation } from './database-errors.ts';
import { checkServerVersion, jsonb, openDatabase } from './database.ts';
import { preparedOnce } from './prepared-statements.ts';

type Schema = { thing: { id: number; name: string; data: unknown } };

let database: TestDatabase<Schema>;
beforeAll(async () => {
  database = await testDatabase<Schema>([], { maxConnections: 3, statementTimeoutMs: 300, transactionTimeoutMs: 400 });
  await sql`create table thing (id bigint primary key, name text not null unique, data jsonb)`.execute(database.db);
});
afterAll(() => database.drop());

describe('values', () => {
  test('int8 is a number while safe, a bigint beyond; timestamptz is a Date; jsonb is its value', async () => {
    const { rows } = await sql<Record<string, unknown>>`
      select 1382300000000001::int8 as id, 9007199254740993::int8 as big, array[1, 2]::int8[] as ids,
             '2026-01-02T03:04:05Z'::timestamptz as at, ${jsonb([1, { a: null }])} as data, count(*) as n from thing
    `.execute(database.db);
    expect(rows[0]).toEqual({
      id: 1382300000000001,
      big: 9007199254740993n,
      ids: [1, 2],
      at: new Date('2026-01-02T03:04:05Z'),
      data: [1, { a: null }],
      n: 0,
    });
  });

  test('says the version of the server', async () => {
    expect(await checkServerVersion(database)).toBeGreaterThanOrEqual(150_000);
  });
});

describe('errors', () => {
  test('a key that exists is a UniqueViolation that names its index', async () => {
    await database.db.insertInto('thing').values({ id: 1, name: 'one', data: null }).execute();
    const again = database.db.insertInto('thing').values({ id: 2, name: 'one', data: null }).execute();
    await expect(again).rejects.toBeInstanceOf(UniqueViolation);
    await expect(again).rejects.toMatchObject({ constraint: 'thing_name_key', table: 'thing' });
  });

  test('a statement or a transaction that takes too long is ended', async () => {
    await expect(sql`select pg_sleep(5)`.execute(database.db)).rejects.toBeInstanceOf(TookTooLong);
    const idle = database.transaction(async (tx) => {
      await sql`select 1`.execute(tx);
      await new Promise((resolve) => setTimeout(resolve, 900));
      await sql`select 1`.execute(tx);
    });
    await expect(idle).rejects.toBeInstanceOf(TookTooLong);
    await expect(sql`select 1`.execute(database.db)).resolves.toBeDefined();
  });

  test('a server that is not there, and one that dies, is DatabaseAway; the pool lives on', async () => {
    const nowhere = openDatabase({ host: '/nonexistent', port: 5432, user: 'x', name: 'x', applicationName: 'test' });
    await expect(sql`select 1`.execute(nowhere.db)).rejects.toBeInstanceOf(DatabaseAway);
    await nowhere.close();
    const cut = sql`select pg_terminate_backend(pg_backend_pid())`.execute(database.db);
    await expect(cut).rejects.toBeInstanceOf(DatabaseAway);
    await expect(sql`select 1`.execute(database.db)).resolves.toBeDefined();
  });
});

describe('the pool', () => {
  test('never opens more connections than its cap', async () => {
    const many = Array.from({ length: 20 }, () => sql`select pg_sleep(0.01)`.execute(database.db));
    await Promise.all(many);
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from pg_stat_activity where datname = current_database()`.execute(database.db);
    expect(rows[0]?.n).toBeLessThanOrEqual(3);
  });

  test('counts the statements of one piece of work and of no other', async () => {
    const noise = database.db.selectFrom('thing').selectAll().execute();
    const { statements, value } = await database.countStatements(() =>
      database.transaction(async (tx) => {
        await tx.selectFrom('thing').selectAll().execute();
        return tx.selectFrom('thing').select('id').execute();
      }),
    );
    await noise;
    expect(statements).toEqual(['select * from "thing"', 'select "id" from "thing"']);
    expect(value).toBeInstanceOf(Array);
  });
});

test('a statement that says so is prepared once for each connection, the others never', async () => {
  const own = openDatabase<Schema>({ ...database.address, applicationName: 'prepared', maxConnections: 1 });
  try {
    for (let n = 1; n <= 3; n += 1) {
      const { rows } = await sql<{ double: number }>`select ${n}::int * 2 as double ${sql.raw(preparedOnce)}`.execute(own.db);
      expect(rows).toEqual([{ double: n * 2 }]);
      await sql`select ${n}::int`.execute(own.db);
    }
    const { rows } = await sql<{ statement: string; uses: number }>`
      select statement, generic_plans + custom_plans as uses from pg_prepared_statements`.execute(own.db);
    expect(rows).toEqual([{ statement: expect.stringContaining('* 2 as double') as string, uses: 3 }]);
  } finally {
    await own.close();
  }
});

describe('transactions', () => {
  test('roll back when the work throws', async () => {
    const failing = database.transaction(async (tx) => {
      await tx.insertInto('thing').values({ id: 50, name: 'fifty', data: null }).execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await database.db.selectFrom('thing').where('id', '=', 50).selectAll().execute()).toEqual([]);
  });

  test('conflicts are retried only where the work says it may run again', async () => {
    await database.db.insertInto('thing').values({ id: 60, name: '0', data: null }).execute();
    const addOne = (retryable: boolean): Promise<void> =>
      database.transaction(
        async (tx) => {
          const row = await tx.selectFrom('thing').where('id', '=', 60).selectAll().executeTakeFirstOrThrow();
          await new Promise((resolve) => setTimeout(resolve, 20));
          await tx
            .updateTable('thing')
            .set({ name: String(Number(row.name) + 1) })
            .where('id', '=', 60)
            .execute();
        },
        { retryable, isolation: 'serializable' },
      );
    await Promise.all([addOne(true), addOne(true), addOne(true)]);
    const row = await database.db.selectFrom('thing').where('id', '=', 60).selectAll().executeTakeFirstOrThrow();
    expect(row.name).toBe('3');
    const outcomes = await Promise.allSettled([addOne(false), addOne(false)]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toBeInstanceOf(TransactionConflict);
  });
});

test('a server of its own is gone, with its folder, after stop()', async () => {
  const own = await startTestServer();
  const other = openDatabase({ ...own.address, name: 'postgres', applicationName: 'test' });
  await sql`select 1`.execute(other.db);
  await own.stop();
  await expect(sql`select 1`.execute(other.db)).rejects.toBeInstanceOf(DatabaseAway);
  await other.close();
});
