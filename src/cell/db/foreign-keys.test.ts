import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../../test/postgres.ts';
import { migrationsOfCell } from '../cell-database.ts';
import { claimDatabase } from './cell-identity.ts';
import type { CellTables } from './schema.ts';

let database: TestDatabase<CellTables>;
beforeAll(async () => {
  database = await testDatabase<CellTables>([...migrationsOfCell]);
});
afterAll(() => database.drop());

/** What they refer to is deleted by hand and seldom, and there are few of them, or one look at each machine is nothing beside it. */
const without = ['controller.domain_id', 'device.domain_id', 'machine.domain_id', 'storage_group.cache_set_id', 'vlan.relay_vlan_id'];

test('every foreign key leads an index: deleting a row looks for those that refer to it', async () => {
  const { rows } = await sql<{ key: string }>`
    select c.conrelid::regclass || '.' || a.attname as key
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
    order by 1`.execute(database.db);
  expect(rows.map((row) => row.key)).toEqual(without);
});

test('a MAC address of anything is found by an index: anybody may ask for one', async () => {
  await claimDatabase(database.db, { number: 17, name: 'c17', keyFingerprint: 'test' });
  // Small tables are read whole, whatever indexes there are.
  await sql`insert into node (system_id, node_type) select 'n' || n, 4 from generate_series(1, 5000) n`.execute(database.db);
  await sql`
    insert into interface (system_id, name, mac) select 'n' || n, 'eth0', '52:54:00:00:' || lpad(to_hex(n / 256), 2, '0') || ':' || lpad(to_hex(n % 256), 2, '0')
    from generate_series(1, 5000) n`.execute(database.db);
  await sql`analyze interface`.execute(database.db);
  const { rows } = await sql<Record<string, string>>`explain select from interface where mac = '52:54:00:00:01:01' limit 1`.execute(
    database.db,
  );
  expect(JSON.stringify(rows)).toContain('interface_by_any_mac');
});
