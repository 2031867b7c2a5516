/** Nodes are what machines and devices are, whoever writes them, and a database from before is taken over. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../../test/postgres.ts';
import { feedMigrations } from '../../postgres/feed.ts';
import { migrate } from '../../postgres/migrations.ts';
import { cellMigrations } from '../cell-database.ts';
import { bootFacts } from './boot-store.ts';
import type { CellTables } from './schema.ts';

const own = 13;
const folder = mkdtempSync(join(tmpdir(), 'muster-before-nodes-'));
let database: TestDatabase<CellTables>;

beforeAll(async () => {
  database = await testDatabase<CellTables>();
  const real = fileURLToPath(cellMigrations.folder);
  for (const name of readdirSync(real)) if (Number(name.slice(0, 4)) < own) copyFileSync(join(real, name), join(folder, name));
  await migrate(database.connection, [feedMigrations, { ...cellMigrations, folder: pathToFileURL(`${folder}/`) }]);
  await run(`
    insert into cell_identity (number, name, key_fingerprint) values (17, 'c17', 'x');
    insert into domain (id, name, is_default) values (1, 'a.example', true), (2, 'b.example', false);
    insert into machine (system_id, hostname, domain_id) values ('33q3333', 'one', 1), ('33q3334', 'one', 2), ('33q3336', 'Two', 1);
    insert into interface (system_id, name, mac) values ('33q3333', 'eth0', '52:54:00:00:00:01'), ('33q3334', 'eth0', '52:54:00:00:00:02');
    insert into machine_tag (system_id, tag_id) values ('33q3333', 21)`);
  await migrate(database.connection, [feedMigrations, cellMigrations]);
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

const run = (text: string) => sql.raw(text).execute(database.db);
const nodes = async () =>
  (await database.db.selectFrom('node').selectAll().orderBy('system_id').execute()).map((node) => Object.values(node).join(' '));

test('machines that were there are nodes now, and keep their interfaces and tags', async () => {
  expect(await nodes()).toEqual(['33q3333 0 one 1', '33q3334 0 one 2', '33q3336 0 Two 1']);
  expect(await database.db.selectFrom('interface').select('system_id').orderBy('id').execute()).toHaveLength(2);
  expect(await database.db.selectFrom('machine_tag').selectAll().execute()).toEqual([{ system_id: '33q3333', tag_id: 21 }]);
});

test('a name in a domain is one node, whichever kind it is, also when it is renamed or moved', async () => {
  const device = (id: string, name: string) => run(`insert into device (system_id, hostname, domain_id) values ('${id}', '${name}', 1)`);
  await expect(device('33q3337', 'TWO')).rejects.toMatchObject({ constraint: 'node_name' });
  await device('33q3337', 'three');
  await expect(run(`update device set hostname = 'two' where system_id = '33q3337'`)).rejects.toMatchObject({ constraint: 'node_name' });
  await expect(run(`update machine set domain_id = 1 where system_id = '33q3334'`)).rejects.toMatchObject({ constraint: 'node_name' });
  await expect(device('33q3336', 'four')).rejects.toMatchObject({ constraint: 'node_pkey' });
  await run(`update machine set hostname = 'first' where system_id = '33q3333'`);
  await run(`update device set hostname = 'one', domain_id = 1 where system_id = '33q3337'`);
  expect(await nodes()).toEqual(['33q3333 0 first 1', '33q3334 0 one 2', '33q3336 0 Two 1', '33q3337 1 one 1']);
});

test('a machine that boots from the card of a device is not taken for an unknown one', async () => {
  await run(`insert into interface (system_id, name, mac) values ('33q3337', 'eth0', '52:54:00:00:00:03')`);
  const facts = await bootFacts(database.db, { mac: '52:54:00:00:00:03', uuid: undefined, address: '10.0.0.9' });
  expect(facts).toMatchObject({ system_id: null, matches: 1 });
});

test('a machine that goes takes its node, and the devices on it', async () => {
  await run(`update device set parent = '33q3333' where system_id = '33q3337'`);
  await run(`delete from machine where system_id = '33q3333'`);
  expect(await nodes()).toEqual(['33q3334 0 one 2', '33q3336 0 Two 1']);
  await run(`delete from node where system_id = '33q3336'`);
  expect(await database.db.selectFrom('machine').select('system_id').execute()).toEqual([{ system_id: '33q3334' }]);
  expect((await database.db.selectFrom('interface').select('system_id').execute()).map((row) => row.system_id)).toEqual(['33q3334']);
});
