import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { migrate, MigrationRefused, readMigrations, type MigrationSet } from './migrations.ts';

let database: TestDatabase<unknown>;
let folder: string;
let set: MigrationSet;
beforeEach(async () => {
  database = await testDatabase();
  folder = mkdtempSync(join(tmpdir(), 'muster-migrations-'));
  set = { folder: pathToFileURL(`${folder}/`), table: 'cell_migration' };
});
afterEach(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});
const file = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const run = (): Promise<string[]> => migrate(database.connection, [set]);
const rows = async (query: string): Promise<unknown[]> => (await sql.raw(query).execute(database.db)).rows;

describe('migrating', () => {
  test('applies each file once, in order, and says what was applied', async () => {
    file('0002-b.sql', 'alter table a add column y int; insert into a values (1, 2);');
    file('0001-a.sql', 'create table a (x int);');
    expect(await run()).toEqual(['0001-a.sql', '0002-b.sql']);
    expect(await run()).toEqual([]);
    file('0003-c.sql', 'insert into a values (3, 4);');
    expect(await run()).toEqual(['0003-c.sql']);
    expect(await rows('select * from a order by x')).toEqual([
      { x: 1, y: 2 },
      { x: 3, y: 4 },
    ]);
  });

  test('five starters at once: each file is applied by exactly one', async () => {
    file('0001-a.sql', 'create table a (x int); select pg_sleep(0.1);');
    file('0002-b.sql', 'insert into a values (1);');
    const applied = await Promise.all([run(), run(), run(), run(), run()]);
    expect(applied.flat().toSorted()).toEqual(['0001-a.sql', '0002-b.sql']);
    expect(await rows('select * from a')).toEqual([{ x: 1 }]);
  });

  test('a file that fails leaves nothing behind and is tried again', async () => {
    file('0001-a.sql', 'create table a (x int); insert into nowhere values (1);');
    await expect(run()).rejects.toThrow(/0001-a\.sql failed: relation "nowhere" does not exist/);
    expect(await rows(`select from pg_class where relname = 'a'`)).toEqual([]);
    file('0001-a.sql', 'create table a (x int);');
    expect(await run()).toEqual(['0001-a.sql']);
  });

  test('two rooms keep apart in one database', async () => {
    file('0001-a.sql', 'select 1;');
    const other = { ...set, table: 'hub_migration' };
    expect(await migrate(database.connection, [set, other])).toEqual(['0001-a.sql', '0001-a.sql']);
  });
});

describe('refused', () => {
  test('an applied file that was edited since; line endings do not count', async () => {
    file('0001-a.sql', 'create table a (x int);\n');
    await run();
    file('0001-a.sql', 'create table a (x int);\r\n');
    expect(await run()).toEqual([]);
    file('0001-a.sql', 'create table a (x text);\n');
    await expect(run()).rejects.toThrow(MigrationRefused);
  });

  test('a file numbered below what is applied', async () => {
    file('0002-b.sql', 'select 1;');
    await run();
    file('0001-a.sql', 'select 1;');
    await expect(run()).rejects.toThrow(/comes too late/);
  });

  test('a newer schema, only if it is marked as breaking', async () => {
    file('0001-a.sql', 'select 1;');
    file('0002-b.sql', 'select 2;');
    await run();
    rmSync(join(folder, '0002-b.sql'));
    expect(await run()).toEqual([]);
    file('0003-c.sql', '--! breaking\nselect 3;');
    file('0002-b.sql', 'select 2;');
    await run();
    rmSync(join(folder, '0003-c.sql'));
    await expect(run()).rejects.toThrow(/0003-c\.sql, which this version does not know/);
  });

  test('names without a number, and a number used twice', () => {
    file('readme.txt', 'not a migration');
    file('0001-a.sql', 'select 1;');
    expect(readMigrations(set.folder)).toHaveLength(1);
    file('0001-b.sql', 'select 1;');
    expect(() => readMigrations(set.folder)).toThrow(/same number/);
    rmSync(join(folder, '0001-b.sql'));
    file('b.sql', 'select 1;');
    expect(() => readMigrations(set.folder)).toThrow(/is named like/);
  });
});
