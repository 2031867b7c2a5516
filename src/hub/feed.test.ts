import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from 'kysely';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { Authority } from '../global/authority.ts';
import { largestBatch } from '../global/batch.ts';
import { memoryReplica, type Replica } from '../global/replica.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import type { HubTables } from './db/hub-tables.ts';
import { createFeed, type Feed } from './feed.ts';
import { migrationsOfHub, openHubDatabase } from './hub-database.ts';

const key = generateSigningKey();
const findings: unknown[] = [];
let database: TestDatabase<HubTables>;
let authority: Authority;
let feed: Feed;
let replica: Replica;

beforeAll(async () => {
  database = await testDatabase<HubTables>(migrationsOfHub);
  authority = await Authority.open(database);
  feed = createFeed(authority, () => key);
  replica = memoryReplica({ hubKey: key.publicKey, findings: { report: (finding) => void findings.push(finding) } });
});
afterAll(() => database.drop());

const zone = (id: number, name: string) =>
  authority.write('config', 'test', (draft) => draft.put('zone', id, { id, name, description: '' }));
const poll = async (): Promise<string> => replica.accept('config', await feed.changes('config', replica.memory.revision('config')));
const names = (): string[] => replica.memory.list('zone').map((one) => one.name);

describe('a replica that asks', () => {
  test('gets a snapshot first, then changes, then nothing', async () => {
    await zone(2, 'a');
    expect(await poll()).toBe('apply');
    await zone(3, 'b');
    await zone(2, 'A');
    expect(await poll()).toBe('apply');
    expect(await poll()).toBe('nothing');
    expect(names()).toEqual(['A', 'b']);
    expect(replica.memory.revision('config')).toEqual({ epoch: 1, n: 3 });
  });

  test('is woken by the write, not by the clock', async () => {
    const waiting = feed.waitFor('config', replica.memory.revision('config'), 10_000);
    const began = performance.now();
    await zone(4, 'c');
    await waiting;
    expect(performance.now() - began).toBeLessThan(1_000);
    await feed.waitFor('config', replica.memory.revision('config'), 10_000, AbortSignal.abort());
    await poll();
  });

  test('that is more than a batch behind catches up in steps, whatever is written meanwhile', async () => {
    await authority.write('config', 'test', (draft) => {
      for (let id = 100; id < 4_600; id += 1) draft.put('tag', id, { id, name: `t${id}`, definition: '', comment: '', kernel_opts: '' });
    });
    expect(await poll()).toBe('apply');
    expect(replica.memory.list('tag')).toHaveLength(2_000);
    await zone(4, 'd');
    while ((await poll()) === 'apply');
    expect(replica.memory.list('tag')).toHaveLength(4_500);
    expect(names()).toContain('d');
  });

  test('gets a snapshot where the log no longer reaches back', async () => {
    const at = replica.memory.revision('config');
    await zone(5, 'e');
    await zone(6, 'f');
    await sql`delete from global_change where n = ${at.n + 1} and stream = 'config'`.execute(database.db);
    expect(await poll()).toBe('apply');
    expect(names()).toEqual(expect.arrayContaining(['e', 'f']));
    expect(replica.memory.list('tag')).toHaveLength(4_500);
  });

  test('and is ahead of the hub gets nothing', async () => {
    const { epoch, n } = authority.memory.revision('config');
    await expect(feed.changes('config', { epoch, n: n + 1 })).rejects.toMatchObject({ code: 'replica_ahead' });
  });
  test('never caused a finding', () => expect(findings).toEqual([]));
});

test('what one write put on the log goes out in batches that a replica takes, by bytes and by count; a snapshot may be larger', async () => {
  // A 256th of the real limits.
  const largest = largestBatch / 256;
  const small = createFeed(authority, () => key, { bytes: 64 << 10 });
  const report = (finding: unknown) => void findings.push(finding);
  const follower = memoryReplica({ hubKey: key.publicKey, findings: { report }, largest });
  const take = async (from: Feed): Promise<number[]> => {
    const lengths: number[] = [];
    for (;;) {
      const text = await from.changes('config', follower.memory.revision('config'));
      if ((await follower.accept('config', text)) !== 'apply') return lengths;
      lengths.push(text.length);
    }
  };
  const put = (first: number, count: number, comment: string) =>
    authority.write('config', 'test', (draft) => {
      for (let id = first; id < first + count; id += 1)
        draft.put('tag', id, { id, name: `t${id}`, definition: '', comment, kernel_opts: '' });
    });
  const [snapshot = 0] = await take(small);
  expect(snapshot).toBeGreaterThan(largest);
  // 300 KiB of JSON, 400 sealed; the limit is 256.
  await put(20_000, 25, 'x'.repeat(12 << 10));
  const lengths = await take(small);
  expect(lengths).toHaveLength(5);
  expect(Math.max(...lengths)).toBeLessThan(largest / 2);
  // One document that is larger than a batch should be still goes out.
  await put(20_000, 2, 'x'.repeat(70 << 10));
  expect(await take(small)).toHaveLength(2);
  // One INSERT of the log would have 72,000 parameters; PostgreSQL takes 65,535.
  await put(30_000, 8_000, '');
  while ((await poll()) === 'apply');
  expect(replica.memory.documents('config')).toEqual(authority.memory.documents('config'));
  expect(findings).toEqual([]);
});

test('a hub whose database went back in time begins a new epoch, and its replicas take a snapshot', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-feed-test-'));
  const config = { folder, database_url: database.url, address: '127.0.0.1', port: 0, plain_address: '127.0.0.1', allow_plain: false };
  const log = pino({ level: 'silent' });
  await (await openHubDatabase(config, log))[Symbol.asyncDispose]();
  const file = join(folder, 'epoch');
  const mark = JSON.parse(await readFile(file, 'utf8')) as { xid: string };
  // What the file would say had there been a million transactions more before the backup was put back.
  await writeFile(file, JSON.stringify({ ...mark, xid: String(BigInt(mark.xid) + 1_000_000n) }));
  const idBefore = await authority.write('config', 'test', (draft) => draft.drawId());
  await (await openHubDatabase(config, log))[Symbol.asyncDispose]();
  await authority.refresh();
  expect(authority.memory.revision('config').epoch).toBe(2);
  expect(authority.memory.revision('access').epoch).toBe(2);
  expect(await poll()).toBe('apply');
  expect(replica.memory.revision('config')).toEqual(authority.memory.revision('config'));
  expect(replica.memory.list('tag')).toHaveLength(12_525);
  await zone(7, 'g');
  expect(await poll()).toBe('apply');
  expect(names()).toContain('g');
  const idAfter = await authority.write('config', 'test', (draft) => draft.drawId());
  expect(idAfter.value).toBeGreaterThan(idBefore.value + 1_000);
  await rm(folder, { recursive: true });
});
