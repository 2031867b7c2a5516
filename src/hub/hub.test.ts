import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { Worker } from 'node:worker_threads';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { openFrontGlobal, type FrontGlobal } from '../global/front-global.ts';
import { join, type JoinRequest } from '../global/join.ts';
import { makeAssertion } from '../global/assertion.ts';
import { resetPassword } from '../global/default-documents.ts';
import { pinnedFetch } from '../global/pinned-fetch.ts';
import { keyFileIn, readMembership, type Membership } from '../global/membership.ts';
import { openJoinedGlobal } from '../global/joined-global.ts';
import { globalMigrations } from '../global/migrations.ts';
import { fingerprintOf, generateSigningKey, loadSigningKey, type SigningKey } from '../global/signing-key.ts';
import { oauthHeader, parseKey } from '../http/oauth.ts';
import type { CallRequest } from '../http/handler.ts';
import type { FirstAdmin } from '../global/default-documents.ts';
import type { GlobalTables } from '../global/db/global-tables.ts';
import { readLagging } from './db/progress-store.ts';
import { createHub, type Hub } from './hub.ts';
import { migrationsOfHub } from './hub-database.ts';

const log = pino({ level: 'silent' });
let database: TestDatabase<GlobalTables>;
let cellDatabase: TestDatabase<GlobalTables>;
let folder: string;
let hub: Hub;
let admin: FirstAdmin;

const start = (port = 0): Promise<Hub> => {
  const config = {
    folder: joinPath(folder, 'hub'),
    database_url: database.url,
    address: '127.0.0.1',
    port,
    plain_address: '127.0.0.1',
    plain_port: 0,
    allow_plain: false,
  };
  return createHub({ config, version: '1.2.3', log, checkReplies: true });
};

beforeAll(async () => {
  database = await testDatabase<GlobalTables>(migrationsOfHub);
  cellDatabase = await testDatabase<GlobalTables>([globalMigrations]);
  folder = await mkdtemp(joinPath(tmpdir(), 'muster-hub-test-'));
  hub = await start();
  admin = (await hub.init())!;
});
afterAll(async () => {
  await hub.close(0);
  await cellDatabase.drop();
  await database.drop();
  await rm(folder, { recursive: true });
});

async function api(path: string, init: { method?: string; form?: Record<string, string>; at?: Hub } = {}): Promise<Response> {
  const { method = init.form ? 'POST' : 'GET', form, at = hub } = init;
  return fetch(`${at.plainUrl}/MAAS/api/2.0/${path}`, {
    method,
    headers: { authorization: oauthHeader(admin.apiKey) },
    ...(form ? { body: new URLSearchParams(form) } : {}),
  });
}

const opened = new Map<string, { membership: Membership; key: SigningKey }>();
let folders = 0;
async function request(role: 'cell' | 'front', name: string, given: Partial<JoinRequest> = {}): Promise<JoinRequest> {
  const { token, fingerprint } = await hub.invite(role, name);
  folders += 1;
  return { url: hub.url, token, fingerprint, role, folder: joinPath(folder, `joiner-${folders}`), ...given };
}

async function openFront(name: string): Promise<FrontGlobal> {
  const asked = await request('front', name);
  const membership = await join(asked);
  const key = await loadSigningKey(keyFileIn(asked.folder));
  opened.set(name, { membership, key });
  const front = openFrontGlobal({ membership, key, version: '1', findings: { report: () => undefined }, onTrouble: () => undefined });
  await front.replication.caughtUp(5_000);
  return front;
}

describe('joining', () => {
  test('a token lets one key in, as often as it asks; nobody else', async () => {
    const asked = await request('cell', 'c-one', { ownUrl: 'http://192.0.2.17:5240' });
    const joined = await join(asked);
    expect(joined).toMatchObject({ role: 'cell', name: 'c-one', hub: hub.url });
    expect(fingerprintOf(joined.hubKey)).toBe(hub.fingerprint);
    expect(await readMembership(asked.folder)).toEqual(joined);
    expect(await join(asked)).toEqual(joined);
    expect(hub.authority.memory.named('cell', 'c-one')).toMatchObject({ number: joined.number, url: 'http://192.0.2.17:5240', out: false });
    await expect(join({ ...asked, folder: joinPath(folder, 'thief') })).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(join({ ...asked, token: 'x'.repeat(32) })).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await hub.invite('cell', 'c-one')).toMatchObject({ name: 'c-one', number: joined.number });
  });

  test('somebody else at the address gets neither token nor anything', async () => {
    const asked = await request('cell', 'c-pinned');
    const fingerprint = fingerprintOf(generateSigningKey().text);
    await expect(join({ ...asked, fingerprint })).rejects.toThrow(hub.fingerprint);
    await expect(join({ ...asked, url: hub.plainUrl! })).rejects.toThrow('over https');
    await expect(join({ ...asked, fingerprint: 'abc' })).rejects.toThrow('64 hexadecimal digits');
    expect(hub.authority.memory.named('cell', 'c-pinned')).toBeUndefined();
    expect(await join(asked)).toMatchObject({ name: 'c-pinned' });
  });

  test('numbers rise, are never reused, and a standalone cell keeps its own if it is free', async () => {
    const first = await join(await request('cell', 'c-n1'));
    const again = await hub.invite('cell', 'c-n2');
    const replaced = await hub.invite('cell', 'c-n2');
    expect(again.number).toBe(first.number + 1);
    expect(replaced.number).toBe(again.number);
    await hub.authority.write('config', 'test', (draft) => draft.retire('cell', first.number));
    expect((await hub.invite('cell', 'c-n3')).number).toBe(replaced.number + 1);
    expect(await join(await request('cell', 'c-own', { number: 7_000 }))).toMatchObject({ number: 7_000 });
    await expect(join(await request('cell', 'c-clash', { number: 7_000 }))).rejects.toMatchObject({ code: 'in_use' });
    await expect(join(await request('cell', 'c-ghost', { number: first.number }))).rejects.toMatchObject({ code: 'in_use' });
  });

  test("a front's token is for a front, and an expired one for nobody", async () => {
    const asked = await request('front', 'f-role');
    await expect(join({ ...asked, role: 'cell' })).rejects.toThrow('lets a front join');
    const late = await request('front', 'f-late');
    await database.db
      .updateTable('join_token' as never)
      .set({ expires_at: new Date(0) } as never)
      .where('name' as never, '=', 'f-late' as never)
      .execute();
    await expect(join(late)).rejects.toMatchObject({ code: 'unauthorized' });
  });

  test('the API invites too, and shows who is there', async () => {
    const invited = (await (await api('fronts/', { form: { name: 'f-api' } })).json()) as { token: string; fingerprint: string };
    expect(invited).toMatchObject({ name: 'f-api', fingerprint: hub.fingerprint });
    expect(
      await join({
        url: hub.url,
        token: invited.token,
        fingerprint: invited.fingerprint,
        role: 'front',
        folder: joinPath(folder, 'f-api'),
      }),
    ).toMatchObject({ role: 'front' });
    const fronts = (await (await api('fronts/')).json()) as { name: string }[];
    expect(fronts.map((front) => front.name)).toContain('f-api');
    expect((await api('cells/c-own/', { method: 'PUT', form: { state: 'out' } })).status).toBe(200);
    expect(await (await api('cells/c-own/')).json()).toMatchObject({ number: 7_000, state: 'out', answering: null });
  });
});

describe('following', () => {
  const asking = (key: string): [CallRequest, NonNullable<ReturnType<typeof credentials>>] => [
    { headers: {}, address: '192.0.2.9' } as unknown as CallRequest,
    credentials(key)!,
  ];
  const credentials = (key: string) => {
    const parts = parseKey(key);
    return parts && { ...parts, timestamp: 1, nonce: 'n' };
  };

  test('a write answers when every connected replica has it; a revoked key is refused everywhere by then', async () => {
    await using one = await openFront('f-1');
    await using two = await openFront('f-2');
    const began = performance.now();
    const created = await api('zones/', { form: { name: 'rack-9' } });
    expect(created.status).toBe(200);
    expect(created.headers.get('muster-lagging')).toBeNull();
    for (const front of [one, two]) expect(front.reader.named('zone', 'rack-9')).toBeDefined();

    const token = (await (await api('account/?op=create_authorisation_token', { form: { name: 'x' } })).json()) as Record<string, string>;
    const key = `${token['consumer_key']}:${token['token_key']}:${token['token_secret']}`;
    for (const front of [one, two]) expect(await front.authenticate(...asking(key))).toMatchObject({ username: 'admin', admin: true });
    expect((await api('account/?op=delete_authorisation_token', { form: { token_key: token['token_key']! } })).status).toBe(204);
    for (const front of [one, two]) expect(() => front.authenticate(...asking(key))).toThrow('Invalid API key');
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(one.replication.lag()).toBeLessThan(5);
  });

  test('who is connected but does not apply is named after two seconds, and forgotten when its connection breaks', async () => {
    const { name } = await join(await request('cell', 'c-slow'));
    const db = hub.base.database.db;
    await db.insertInto('replica_progress').values({ role: 'cell', name, process: 'stuck' }).execute();
    const began = performance.now();
    const created = await api('zones/', { form: { name: 'rack-slow' } });
    expect(created.headers.get('muster-lagging')).toBe('c-slow');
    expect(performance.now() - began).toBeGreaterThan(1_900);
    expect(performance.now() - began).toBeLessThan(3_500);
    await db.deleteFrom('replica_progress').where('process', '=', 'stuck').execute();
  });

  test('who falls silent during the write is named too: it may have got a batch that it cannot apply', async () => {
    const { name } = await join(await request('cell', 'c-hung'));
    const db = hub.base.database.db;
    await db.insertInto('replica_progress').values({ role: 'cell', name, process: 'hung' }).execute();
    const write = api('zones/', { form: { name: 'rack-hung' } });
    await sleep(1_000);
    await sql`update replica_progress set seen_at = now() - interval '30 seconds' where process = 'hung'`.execute(db);
    expect((await write).headers.get('muster-lagging')).toBe('c-hung');
    await db.deleteFrom('replica_progress').where('process', '=', 'hung').execute();
  });

  test('no cell is called hub', async () => {
    const reply = await api('cells/', { form: { name: 'hub' } });
    expect([reply.status, await reply.text()]).toEqual([400, expect.stringContaining('cannot be called hub')]);
  });

  test('a joined cell keeps its replica in PostgreSQL, serves on without the hub, and catches up', async () => {
    const asked = await request('cell', 'c-17');
    const membership = await join(asked);
    const options = {
      database: cellDatabase,
      name: membership.name,
      keyFile: keyFileIn(asked.folder),
      membership,
      version: '1',
      usage: { inUse: async () => undefined, transfer: async () => undefined },
      spaces: { networksOf: async () => ({ vlans: [], subnets: [] }) },
      findings: { report: () => undefined },
      onTrouble: () => undefined,
    };
    {
      await using cell = await openJoinedGlobal(options);
      await cell.replication.caughtUp(5_000);
      expect(await cell.authenticate(...asking(admin.apiKey))).toMatchObject({ username: 'admin' });
      const { port } = new URL(hub.url);
      await hub.close(0);
      // A restart of the cell while the hub is away.
      await using restarted = await openJoinedGlobal(options);
      expect(await restarted.authenticate(...asking(admin.apiKey))).toMatchObject({ username: 'admin' });
      hub = await start(Number(port));
      await hub.authority.write('config', 'test', (draft) => draft.put('zone', 900, { id: 900, name: 'after', description: '' }));
      for (let waited = 0; waited < 8_000 && !(cell.reader.get('zone', 900) && restarted.reader.get('zone', 900)); waited += 50)
        await sleep(50);
      expect(cell.reader.get('zone', 900)?.name).toBe('after');
      expect(restarted.reader.get('zone', 900)?.name).toBe('after');
      expect(cell.replication.revisions().config).toEqual(hub.authority.memory.revision('config'));
    }
    expect((await api('cells/c-17/')).status).toBe(200);
    expect(await (await api('cells/c-17/')).json()).toMatchObject({
      revision: { config: expect.stringMatching(/^1\.\d+$/) },
      version: '1',
    });
  });

  test.each([-40 * 365 * 86_400, 7_200])('a clock that is %d seconds off corrects itself by the hub', async (seconds) => {
    const asked = await request('front', `f-clock${seconds}`);
    const membership = await join(asked);
    // A worker has its own Date, so that the hub's stays right.
    const code = `
      const now = Date.now;
      Date.now = () => now() + ${seconds * 1000};
      const { workerData, parentPort } = require('node:worker_threads');
      (async () => {
        const { openFrontGlobal } = await import(workerData.front);
        const { loadSigningKey } = await import(workerData.keys);
        const key = await loadSigningKey(workerData.keyFile);
        const { membership } = workerData;
        const front = openFrontGlobal({ membership, key, version: '1', findings: { report() {} }, onTrouble() {} });
        await front.replication.caughtUp(5000);
        parentPort.postMessage(front.reader.list('zone').length);
        await front[Symbol.asyncDispose]();
      })();`;
    const at = (path: string): string => new URL(path, import.meta.url).href;
    const workerData = {
      front: at('../global/front-global.ts'),
      keys: at('../global/signing-key.ts'),
      keyFile: keyFileIn(asked.folder),
      membership,
    };
    const worker = new Worker(code, { eval: true, workerData });
    const zones = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(zones).toBe(hub.authority.memory.list('zone').length);
    await worker.terminate();
  });

  test('waiting quietly is being connected; ending is not', async () => {
    const lagging = async () => (await readLagging(hub.base.database.db, 'config', { epoch: 1_000, n: 0 })).map(({ name }) => name);
    {
      await using front = await openFront('f-quiet');
      await hub.authority.write('config', 'test', (draft) => draft.put('setting', 'maas_name', { value: 'quiet' }));
      await sleep(3_000);
      expect(front.replication.revisions().config).toEqual(hub.authority.memory.revision('config'));
      expect(await lagging()).toContain('f-quiet');
    }
    for (let waited = 0; waited < 4_000 && (await lagging()).includes('f-quiet'); waited += 50) await sleep(50);
    expect(await lagging()).not.toContain('f-quiet');
  });

  test('two processes of the hub: a write at one reaches the replicas of the other, and waits for them', async () => {
    await using other = await start();
    await using front = await openFront('f-other');
    for (let at = 0; at < 5; at += 1) {
      const created = await api('tags/', { form: { name: `t-${at}` }, at: other });
      expect(created.status).toBe(200);
      // Members of earlier tests may count as connected for two seconds more.
      expect(created.headers.get('muster-lagging') ?? '').not.toContain('f-other');
      expect(front.reader.named('tag', `t-${at}`)).toBeDefined();
    }
    expect(((await (await api('tags/')).json()) as unknown[]).length).toBe(5);
  });

  test('a front forwards a write and a sign-in to the hub, and its word counts for that request only', async () => {
    await using front = await openFront('f-forward');
    const { membership, key } = opened.get('f-forward')!;
    await using line = pinnedFetch(fingerprintOf(membership.hubKey));
    const send = (to: string, given: Record<string, string>, form: string) =>
      line.fetch(hub.url + to, { method: 'POST', headers: given, body: form });
    const path = '/MAAS/api/2.0/zones/';
    const user = front.reader.named('user', 'admin')!;
    const claims = {
      user: 'admin',
      userId: user.id,
      admin: true,
      generation: user.generation,
      cell: 'hub',
      method: 'POST',
      path,
      front: 'f-forward',
    };
    const headers = {
      'muster-assertion': makeAssertion(key.privateKey, claims, Date.now()),
      'content-type': 'application/x-www-form-urlencoded',
    };
    const created = await send(path, headers, 'name=by-front');
    expect(created.status).toBe(200);
    expect(front.reader.named('zone', 'by-front')).toBeDefined();
    expect((await send('/MAAS/api/2.0/tags/', headers, 'name=x')).status).toBe(401);

    const form = { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-proto': 'http' };
    const body = new URLSearchParams({ username: 'admin', password: admin.password }).toString();
    const signedIn = await send('/MAAS/accounts/session/', form, body);
    expect(signedIn.headers.get('set-cookie')).not.toContain('Secure');
    const { session } = (await signedIn.json()) as { session: string };
    const cookie = { headers: { cookie: `muster_session=${session}` }, address: '192.0.2.9' } as unknown as CallRequest;
    expect(await front.authenticate(cookie, undefined)).toMatchObject({ username: 'admin', via: 'session' });

    // A lost password: sessions from before end everywhere.
    const renewed = await resetPassword(hub.authority, 'admin');
    for (let waited = 0; waited < 2_000 && front.reader.named('user', 'admin')?.generation === user.generation; waited += 20)
      await sleep(20);
    expect(await front.authenticate(cookie, undefined)).toMatchObject({ kind: 'anonymous' });
    const again = new URLSearchParams({ username: 'admin', password: renewed! }).toString();
    expect((await send('/MAAS/accounts/session/', form, again)).status).toBe(200);
  });

  test('strangers and people get nothing from the feed', async () => {
    const at = `${hub.plainUrl}/replica/changes/?stream=access&after=0.0`;
    expect((await fetch(at)).status).toBe(401);
    expect((await fetch(at, { headers: { authorization: oauthHeader(admin.apiKey) } })).status).toBe(403);
    expect((await fetch(at, { headers: { 'muster-caller': 'x' } })).status).toBe(401);
  });
});

test('a plain listener beyond loopback wants an explicit flag, and a taken port says so', async () => {
  const config = {
    folder: joinPath(folder, 'other'),
    database_url: database.url,
    address: '127.0.0.1',
    port: 0,
    plain_address: '0.0.0.0',
    plain_port: 0,
    allow_plain: false,
  };
  await expect(createHub({ config, version: '1', log })).rejects.toThrow('allow_plain');
  const taken = { ...config, plain_address: '127.0.0.1', plain_port: Number(new URL(hub.plainUrl!).port) };
  await expect(createHub({ config: taken, version: '1', log })).rejects.toThrow('EADDRINUSE');
});
