import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test, vi } from 'vitest';
import { testDatabase } from '../../test/postgres.ts';
import { Authority } from './authority.ts';
import type { GlobalTables } from './db/global-tables.ts';
import { ensureDefaults } from './default-documents.ts';
import { globalMigrations } from './migrations.ts';
import { keptChanges } from './revision.ts';
import { openStandaloneGlobal } from './standalone-global.ts';

test('a cell that stands alone keeps no more of its log than a hub does', async () => {
  const database = await testDatabase<GlobalTables>([globalMigrations]);
  onTestFinished(() => database.drop());
  const folder = mkdtempSync(join(tmpdir(), 'muster-trim-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const before = await Authority.open(database);
  await ensureDefaults(before);
  await before.write('config', 'test', (draft) => draft.put('zone', 5, { id: 5, name: 'north', description: '' }));
  // As if it had been changed very often, long ago.
  await sql`
    insert into global_change (stream, epoch, n, kind, id, retired, body, by, mark)
    select c.stream, 0, many.n, c.kind, c.id, c.retired, c.body, c.by, c.mark
    from (select * from global_change where kind = 'zone' limit 1) c, generate_series(1, ${keptChanges + 500}::int) many (n)`.execute(
    database.db,
  );
  const logged = async (): Promise<number> => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from global_change where stream = 'config'`.execute(database.db);
    return rows[0]?.n ?? 0;
  };
  expect(await logged()).toBeGreaterThan(keptChanges);
  const troubles: unknown[] = [];
  const global = await openStandaloneGlobal({
    database,
    name: 'c1',
    keyFile: join(folder, 'key.pem'),
    images: join(folder, 'images'),
    usage: { inUse: () => Promise.resolve(undefined), transfer: () => Promise.resolve() },
    spaces: { networksOf: () => Promise.resolve({ vlans: [], subnets: [] }) },
    outside: {},
    onTrouble: (error) => void troubles.push(error),
  });
  await vi.waitFor(async () => expect(await logged()).toBe(keptChanges), { timeout: 20_000 });
  await global[Symbol.asyncDispose]();
  expect(troubles).toEqual([]);
});
