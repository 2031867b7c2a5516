import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../../test/postgres.ts';
import { migrationsOfCell } from '../cell-database.ts';
import { claimDatabase, ensureDomain } from './cell-identity.ts';
import { renameReferences } from './hand-over-store.ts';
import type { CellTables } from './schema.ts';

let database: TestDatabase<CellTables>;
beforeAll(async () => {
  database = await testDatabase<CellTables>(migrationsOfCell);
  await claimDatabase(database.db, { number: 17, name: 'c17', keyFingerprint: 'test' });
  await ensureDomain(database.db, 'c17.example');
});
afterAll(() => database.drop());

test('two things may change their ids with each other, and what is gone gets the default', async () => {
  const { db } = database;
  const { id: domain_id } = await db.selectFrom('domain').select('id').executeTakeFirstOrThrow();
  const rows = [
    ['3334444', 2, 3, [2, 3]],
    ['3334446', 3, 2, [3]],
    ['3334447', 1, 0, []],
    ['3334448', 9, 9, [2, 9]],
  ] as const;
  for (const [number, zone_id, pool_id, tags] of rows) {
    const system_id = number.replace('333', 'aaa');
    await db.insertInto('machine').values({ system_id, hostname: system_id, domain_id, zone_id, pool_id }).execute();
    for (const tag_id of tags) await db.insertInto('machine_tag').values({ system_id, tag_id }).execute();
  }
  const swapped = new Map([
    [2, 3],
    [3, 2],
  ]);
  const maps = { zone: new Map([...swapped, [1, 1]]), pool: new Map([...swapped, [0, 0]]), tag: swapped, space: new Map<number, number>() };
  const counted = await database.countStatements(() => database.transaction((tx) => renameReferences(tx, maps, { zone: 1, pool: 0 })));
  expect(counted.value).toEqual({ zone: 1, pool: 1, tag: 1, space: 0 });
  expect(counted.statements).toHaveLength(8);
  const machines = await db.selectFrom('machine').select(['system_id', 'zone_id', 'pool_id']).orderBy('system_id').execute();
  const tags = await db.selectFrom('machine_tag').selectAll().orderBy('system_id').orderBy('tag_id').execute();
  expect(
    machines.map((row) => [
      row.system_id,
      row.zone_id,
      row.pool_id,
      tags.filter((tag) => tag.system_id === row.system_id).map((tag) => tag.tag_id),
    ]),
  ).toEqual([
    ['aaa4444', 3, 2, [2, 3]],
    ['aaa4446', 2, 3, [2]],
    ['aaa4447', 1, 0, []],
    ['aaa4448', 1, 0, [3]],
  ]);
});
