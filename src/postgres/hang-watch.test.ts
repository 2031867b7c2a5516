import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { hangWatch } from './hang-watch.ts';

let database: TestDatabase<unknown>;
beforeAll(async () => {
  database = await testDatabase([]);
});
afterAll(() => database.drop());

test('an event loop that stood still while the server was asked cuts no statement', async () => {
  const connection = { connectionString: database.url };
  const pool = new pg.Pool({ ...connection, max: 1 });
  const client = await pool.connect();
  client.on('error', () => undefined);
  const over = hangWatch(connection).watch(client);
  // In the same turn as the look after 3 s, and right behind it: it has begun to connect, and its time-out is the first thing to run.
  setTimeout(() => {
    for (const end = performance.now() + 2_500; performance.now() < end;);
  }, 3_000);
  try {
    expect((await client.query('select pg_sleep(8) is not null as slept')).rowCount).toBe(1);
  } finally {
    over();
    client.release(true);
    await pool.end();
  }
}, 30_000);
