import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { openDatabase } from '../postgres/database.ts';
import { Authority, beginEpoch } from './authority.ts';
import { ensureDefaults } from './default-documents.ts';
import type { GlobalTables } from './db/global-tables.ts';
import { readChanges } from './db/document-store.ts';
import { followDatabase } from './follow-database.ts';
import { globalMigrations } from './migrations.ts';

let database: TestDatabase<GlobalTables>;
let one: Authority;
let two: Authority;
const other = () => openDatabase<GlobalTables>({ ...database.address, applicationName: 'other' });
let second: ReturnType<typeof other>;

beforeAll(async () => {
  database = await testDatabase<GlobalTables>([globalMigrations]);
  second = other();
});
afterAll(async () => {
  await second.close();
  await database.drop();
});
beforeEach(async () => {
  await sql`truncate global_change, global_document, global_revision`.execute(database.db);
  one = await Authority.open(database);
  two = await Authority.open(second);
});

const zoneNames = (authority: Authority): string[] => authority.memory.list('zone').map((zone) => zone.name);

/** A writer that looks before it writes: with a stale look, names would come twice. */
async function addZone(authority: Authority, name: string): Promise<boolean> {
  const { value } = await authority.write('config', 'test', async (draft) => {
    if (draft.named('zone', name)) return false;
    const id = await draft.drawId();
    draft.put('zone', id, { id, name, description: '' });
    return true;
  });
  return value;
}

describe('two processes over one database', () => {
  test('racing writers: every n once, in commit order, and nobody decides on a stale look', async () => {
    const names = Array.from({ length: 60 }, (_, at) => `zone-${at % 20}`);
    const won = await Promise.all(names.map((name, at) => addZone(at % 2 === 0 ? one : two, name)));
    expect(won.filter(Boolean)).toHaveLength(20);
    const log = await readChanges(database.db, 'config', { epoch: 1, n: 0 }, { limit: 1000, bytes: 1_000_000 });
    expect(log.map((change) => change.revision.n)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    await Promise.all([one.refresh(), two.refresh()]);
    expect(zoneNames(one)).toEqual(zoneNames(two));
    expect(new Set(zoneNames(one)).size).toBe(20);
    expect(one.memory.revision('config')).toEqual({ epoch: 1, n: 20 });
  });

  test('readers never see a document missing while others change it', async () => {
    await addZone(one, 'steady');
    const id = one.memory.named('zone', 'steady')!.id;
    let over = false;
    const writing = (async () => {
      for (let count = 0; count < 60; count += 1) {
        await one.write('config', 'test', (draft) => draft.put('zone', id, { ...draft.get('zone', id)!, description: String(count) }));
      }
      over = true;
    })();
    while (!over) {
      const fresh = await Authority.open(second);
      expect(fresh.memory.named('zone', 'steady')).toBeDefined();
    }
    await writing;
  });

  test('a write in one is in the memory of the other within a second', async () => {
    await using following = followDatabase(
      second,
      () => two.refresh(),
      (error) => expect.unreachable(String(error)),
      60_000,
    );
    expect(following).toBeDefined();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const seen = new Promise<number>((resolve) => {
      const began = performance.now();
      two.memory.onChange(() => resolve(performance.now() - began));
    });
    await addZone(one, 'news');
    expect(await seen).toBeLessThan(1000);
    expect(zoneNames(two)).toEqual(['news']);
  });

  test('both may set up the defaults at once', async () => {
    await Promise.all([ensureDefaults(one), ensureDefaults(two), ensureDefaults(one)]);
    expect(zoneNames(one)).toEqual(['default']);
    expect(one.memory.revision('config').n).toBe(2);
  });
});

test('a failed write leaves nothing behind, not even its number', async () => {
  const failing = one.write('config', 'test', (draft) => {
    draft.put('zone', 7, { id: 7, name: 'never', description: '' });
    throw new Error('second thoughts');
  });
  await expect(failing).rejects.toThrow('second thoughts');
  expect(zoneNames(one)).toEqual([]);
  await addZone(one, 'first');
  expect(one.memory.revision('config')).toEqual({ epoch: 1, n: 1 });
});

test('what is retired is gone from reads but known, and its body is kept', async () => {
  await addZone(one, 'old');
  const { id } = one.memory.named('zone', 'old')!;
  await one.write('config', 'test', (draft) => draft.retire('zone', id));
  expect(one.memory.get('zone', id)).toBeUndefined();
  expect(one.memory.isRetired('zone', id)).toBe(true);
  expect(one.memory.documents('config').at(-1)).toMatchObject({ retired: true, body: { name: 'old' } });
  expect((await Authority.open(second)).memory.isRetired('zone', id)).toBe(true);
});

test('a new epoch keeps what there is and never gives an id again', async () => {
  await addZone(one, 'before');
  const before = one.memory.named('zone', 'before')!.id;
  await database.transaction((tx) => beginEpoch(tx, 5));
  await two.refresh();
  await addZone(two, 'after');
  expect(two.memory.revision('config')).toEqual({ epoch: 5, n: 2 });
  expect(two.memory.revision('access')).toEqual({ epoch: 5, n: 0 });
  expect(two.memory.named('zone', 'after')!.id).toBeGreaterThan(before + 1000);
  expect(zoneNames(two)).toEqual(['before', 'after']);
});
