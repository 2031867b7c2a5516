import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { addToken } from '../global/api/account.ts';
import { Authority } from '../global/authority.ts';
import { databaseReplica, memoryReplica, type Replica } from '../global/replica.ts';
import { generateSigningKey } from '../global/signing-key.ts';
import type { HubTables } from './db/hub-tables.ts';
import { createFeed, type Feed } from './feed.ts';
import { migrationsOfHub } from './hub-database.ts';
import { trimHub } from './trim.ts';

const key = generateSigningKey();
const findings: unknown[] = [];
let database: TestDatabase<HubTables>;
let cellDatabase: TestDatabase<HubTables>;
let authority: Authority;
let feed: Feed;
beforeAll(async () => {
  database = await testDatabase<HubTables>(migrationsOfHub);
  cellDatabase = await testDatabase<HubTables>(migrationsOfHub);
  authority = await Authority.open(database);
  feed = createFeed(authority, () => key);
});
afterAll(async () => {
  await database.drop();
  await cellDatabase.drop();
});

const options = { hubKey: key.publicKey, findings: { report: (finding: unknown) => void findings.push(finding) } };
const poll = async (replica: Replica, stream: 'access' | 'config' = 'config'): Promise<string> =>
  replica.accept(stream, await feed.changes(stream, replica.memory.revision(stream)));
const rename = (name: string) => authority.write('config', 'test', (draft) => draft.put('zone', 5, { id: 5, name, description: '' }));
const logLength = async (): Promise<number> =>
  Number(
    (
      await database.db
        .selectFrom('global_change')
        .select((eb) => eb.fn.countAll().as('count'))
        .executeTakeFirstOrThrow()
    ).count,
  );

test('the log keeps so many changes of each stream; who is farther behind gets a snapshot, who is not gets changes', async () => {
  const [far, near] = [memoryReplica(options), memoryReplica(options)];
  await rename('first');
  for (const replica of [far, near]) expect(await poll(replica)).toBe('apply');
  for (let n = 0; n < 60; n += 1) await rename(`n-${n}`);
  expect(await poll(near)).toBe('apply');
  for (let n = 60; n < 70; n += 1) await rename(`n-${n}`);
  expect(await logLength()).toBe(71);
  await trimHub(authority, 20);
  expect(await logLength()).toBe(20);
  const open = (text: string) => JSON.parse(Buffer.from(text.split('.')[0]!, 'base64url').toString()) as { form: string };
  expect(open(await feed.changes('config', far.memory.revision('config'))).form).toBe('snapshot');
  expect(open(await feed.changes('config', near.memory.revision('config'))).form).toBe('changes');
  for (const replica of [far, near]) {
    expect(await poll(replica)).toBe('apply');
    expect(replica.memory.documents('config')).toEqual(authority.memory.documents('config'));
    expect(replica.memory.mark('config')).toBe(authority.memory.mark('config'));
  }
  expect(findings).toEqual([]);
});

test('a log that is trimmed between the look and the reading leads to a snapshot, never to a gap', async () => {
  const behind = memoryReplica(options);
  await poll(behind);
  for (let n = 0; n < 10; n += 1)
    await authority.write('config', 'test', (draft) =>
      draft.put('tag', n, { id: n, name: `t${n}`, definition: '', comment: '', kernel_opts: '' }),
    );
  // One in the middle is gone, so both ends are there.
  await sql`delete from global_change where stream = 'config' and n = ${authority.memory.revision('config').n - 5}`.execute(database.db);
  expect(await poll(behind)).toBe('apply');
  expect(behind.memory.documents('config')).toEqual(authority.memory.documents('config'));
});

test('sign-outs are forgotten an hour after their session would have ended, at the hub and by every replica, and others are not', async () => {
  const replicas = [memoryReplica(options), await databaseReplica(cellDatabase, options)];
  const now = Date.now();
  const seconds = Math.floor(now / 1000);
  await authority.write('access', 'test', (draft) => {
    draft.put('revocation', 'long-gone', { user: 2, until: seconds - 7_200 });
    draft.put('revocation', 'just-over', { user: 2, until: seconds - 60 });
    draft.put('revocation', 'open', { user: 2, until: seconds + 600 });
  });
  for (const replica of replicas) await poll(replica, 'access');
  await trimHub(authority);
  for (const replica of replicas) await replica.trim(now);
  const [, restarted] = [0, await databaseReplica(cellDatabase, options)];
  const again = await Authority.open(database);
  for (const memory of [authority.memory, again.memory, restarted.memory, ...replicas.map((replica) => replica.memory)])
    expect(memory.entries('revocation').map(([id]) => id)).toEqual(['just-over', 'open']);
  // Nobody is out of step with anybody.
  await authority.write('access', 'test', (draft) => draft.put('revocation', 'next', { user: 2, until: seconds + 600 }));
  for (const replica of replicas) {
    expect(await poll(replica, 'access')).toBe('apply');
    expect(replica.memory.documents('access')).toEqual(authority.memory.documents('access'));
  }
});

test('keys that were retired are forgotten with their log, at the hub and by every replica; users, and keys that are good, are not', async () => {
  const replicas = [memoryReplica(options), await databaseReplica(cellDatabase, options)];
  const user = (id: number) => ({ id, username: `u${id}`, email: '', is_superuser: false, is_local: true, generation: 1 });
  await authority.write('access', 'test', (draft) => {
    draft.put('user', 100, user(100));
    draft.put('user', 101, user(101));
    draft.retire('user', 101);
    draft.put('sshkey', 102, { id: 102, user: 100, key: 'k', keysource: null });
    draft.retire('sshkey', 102);
  });
  // As `accounts/authenticate/` does with a consumer's name.
  for (let n = 0; n < 30; n += 1) await authority.write('access', 'test', (draft) => addToken(draft, 100, 'maas', true));
  for (const replica of replicas) while ((await poll(replica, 'access')) === 'apply');
  const count = (documents: readonly { kind: string }[]): number =>
    documents.filter(({ kind }) => kind === 'token' || kind === 'sshkey').length;
  for (const { memory } of [authority, ...replicas]) expect(count(memory.documents('access'))).toBe(31);
  await trimHub(authority, 20);
  for (const replica of replicas) await replica.trim(Date.now(), 20);
  const again = await Authority.open(database);
  const restarted = await databaseReplica(cellDatabase, options);
  for (const { memory } of [authority, again, restarted, ...replicas]) {
    // The 20 newest changes are 10 retired keys and 10 that were good, of which one still is.
    expect(count(memory.documents('access'))).toBe(11);
    expect(memory.list('token')).toHaveLength(1);
    expect(memory.get('user', 100)).toBeDefined();
    expect(memory.isRetired('user', 101)).toBe(true);
  }
  await authority.write('access', 'test', (draft) => addToken(draft, 100, 'maas', true));
  for (const replica of [...replicas, restarted]) {
    while ((await poll(replica, 'access')) === 'apply');
    expect(replica.memory.documents('access')).toEqual(authority.memory.documents('access'));
  }
});

test('a user has at most 1,000 API keys, and is told so; a key that replaces one still comes', async () => {
  const add = (count: number, name: string, replaces: boolean) =>
    authority.write('access', 'test', (draft) => {
      for (let n = 0; n < count; n += 1) addToken(draft, 200, name, replaces);
    });
  await authority.write('access', 'test', (draft) =>
    draft.put('user', 200, { id: 200, username: 'many', email: '', is_superuser: false, is_local: true, generation: 1 }),
  );
  for (let n = 0; n < 10; n += 1) await add(100, `n-${n}`, false);
  await expect(add(1, 'more', false)).rejects.toThrow('This user has 1000 API keys');
  await add(1, 'n-3', true);
  expect(authority.memory.list('token').filter(({ user }) => user === 200)).toHaveLength(901);
});

test('polls of processes that ended a day ago are forgotten', async () => {
  const row = (process: string, seen_at: Date) => ({ role: 'cell' as const, name: 'c', process, seen_at });
  await database.db
    .insertInto('replica_progress')
    .values([
      row('old', new Date(Date.now() - 90_000_000)),
      row('new', new Date()),
      { ...row('away', new Date(Date.now() - 90_000_000)), name: 'away' },
    ])
    .execute();
  await trimHub(authority);
  expect(await database.db.selectFrom('replica_progress').select('process').orderBy('process').execute()).toEqual([
    { process: 'away' },
    { process: 'new' },
  ]);
});
