import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pino } from 'pino';
import { openFleet, through, type Fleet, type FleetOptions } from '../../test/through-front.ts';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { oauthHeader } from '../http/oauth.ts';
import { createServer, type Server } from '../http/server.ts';
import { Authority } from './authority.ts';
import { createAuthenticate } from './authentication.ts';
import { createFirstAdmin, ensureDefaults, type FirstAdmin } from './default-documents.ts';
import type { GlobalTables } from './db/global-tables.ts';
import { createGlobalHandlers, type GlobalRouteId } from './global-handlers.ts';
import { globalMigrations } from './migrations.ts';
import { streamOf } from './kinds.ts';
import { formatRevisions } from './revision.ts';
import { generateSigningKey } from './signing-key.ts';

let database: TestDatabase<GlobalTables>;
let authority: Authority;
let admin: FirstAdmin;
let server: Server;
let joined: Server;
let used: string | undefined;
const transfers: string[] = [];
let fleet: Fleet | undefined;

beforeAll(async () => {
  database = await testDatabase<GlobalTables>([globalMigrations]);
  authority = await Authority.open(database);
  await ensureDefaults(authority);
  await ensureDefaults(authority);
  admin = (await createFirstAdmin(authority))!;
  const key = generateSigningKey();
  const reader = authority.memory;
  const serve = (handlers: ReturnType<typeof createGlobalHandlers>): Server =>
    createServer<GlobalRouteId>({
      program: 'cell',
      version: '0',
      routeIds: Object.keys(handlers) as GlobalRouteId[],
      handlers,
      authenticate: createAuthenticate({ reader, audience: 'c17', sessionKey: key.publicKey }),
      log: pino({ level: 'silent' }),
      revision: () => formatRevisions(reader),
      checkReplies: true,
    });
  server = serve(
    createGlobalHandlers(
      { writer: authority, usage: { inUse: async () => used, transfer: async ({ from, to }) => void transfers.push(`${from} to ${to}`) } },
      { reader },
      { db: authority.db, key },
    ),
  );
  const put: FleetOptions['put'] = (kind, id, body) => authority.write(streamOf(kind), 'test', (draft) => draft.put(kind, id, body));
  if (through === 'front') fleet = await openFleet({ global: reader, put, authority, hubKey: key });
  joined = serve(createGlobalHandlers({ hub: 'https://hub.example:5242' }, { reader }));
});
afterAll(async () => {
  await fleet?.close();
  await server.drain(0);
  await database.drop();
});

interface Answer {
  status: number;
  body: string;
  headers: Record<string, unknown>;
}

/** The same, asked of a front whose hub has this authority (test/through-front.ts). */
async function askFront(
  to: Fleet,
  method: string,
  url: string,
  form: Record<string, string> | undefined,
  key: string,
  headers: object,
): Promise<Answer> {
  const sent = await to.send(
    method,
    url.startsWith('/') ? url : `/MAAS/api/2.0/${url}`,
    {
      ...(key === '' ? {} : { authorization: oauthHeader(key, randomUUID()) }),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    form === undefined ? undefined : new URLSearchParams(form).toString(),
  );
  return { status: sent.status, body: sent.text, headers: sent.headers };
}

/** The database of another cell, which has one machine; undefined where no front is asked. */
const other = () => fleet?.others[0]?.database;
const setOther = async (set: { readonly pool_id?: number; readonly owner?: string | null }): Promise<void> =>
  void (await other()?.db.updateTable('machine').set(set).execute());

async function ask(
  method: string,
  url: string,
  form?: Record<string, string>,
  key: string | undefined = admin.apiKey,
  headers = {},
  at = server,
): Promise<Answer> {
  if (fleet && at === server) return askFront(fleet, method, url, form, key, headers);
  const payload = form === undefined ? {} : { payload: new URLSearchParams(form).toString() };
  const answer = await at.inject({
    method: method as 'GET',
    url: url.startsWith('/') ? url : `/MAAS/api/2.0/${url}`,
    headers: {
      ...(key === '' ? {} : { authorization: oauthHeader(key!, randomUUID()) }),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...payload,
  });
  return { status: answer.statusCode, body: answer.body, headers: answer.headers };
}
const json = (answer: Answer): unknown => JSON.parse(answer.body) as unknown;

describe('defaults', () => {
  test('zone 1 and pool 0 are there, once', async () => {
    expect(json(await ask('GET', 'zones/'))).toEqual([
      { id: 1, name: 'default', description: '', resource_uri: '/MAAS/api/2.0/zones/default/' },
    ]);
    expect(json(await ask('GET', 'resourcepool/0/'))).toMatchObject({
      id: 0,
      name: 'default',
      resource_uri: '/MAAS/api/2.0/resourcepool/0/',
    });
  });

  test('a pool is found by its name too, and a name that is a number is an id', async () => {
    const made = json(await ask('POST', 'resourcepools/', { name: 'by-name' })) as { id: number };
    expect(json(await ask('GET', 'resourcepool/by-name/'))).toMatchObject({ id: made.id });
    expect(json(await ask('PUT', 'resourcepool/by-name/', { description: 'found' }))).toMatchObject({ id: made.id, description: 'found' });
    expect((await ask('GET', 'resourcepool/no-such-name/')).status).toBe(404);
    expect((await ask('DELETE', 'resourcepool/by-name/')).status).toBe(204);
    expect((await ask('GET', `resourcepool/${made.id}/`)).status).toBe(404);
    expect((await ask('GET', 'resourcepool/000/')).status).toBe(200);
  });

  test('there is one first admin', async () => {
    expect(await createFirstAdmin(authority)).toBeUndefined();
    expect(json(await ask('GET', 'users/?op=whoami'))).toEqual({
      username: 'admin',
      email: '',
      is_superuser: true,
      is_local: true,
      resource_uri: '/MAAS/api/2.0/users/admin/',
    });
  });
});

describe.each([
  ['zones/', 'zones/', 'No Zone matches the given query.', 'Physical zone with this Name already exists.'],
  ['resourcepools/', 'resourcepool/', 'No ResourcePool matches the given query.', 'Resource pool with this Name already exists.'],
  ['tags/', 'tags/', 'No Tag matches the given query.', 'Tag with this Name already exists.'],
  ['spaces/', 'spaces/', 'No Space matches the given query.', 'Space with this Name already exists.'],
])('%s', (many, one, missing, taken) => {
  const at = (made: unknown): string => (made as { resource_uri: string }).resource_uri;

  test('create, read, rename, retire', async () => {
    const created = await ask('POST', many, { name: 'rack-1' });
    expect(created.status).toBe(200);
    expect(created.headers['muster-config-revision']).toMatch(/^access=1\.\d+ config=1\.\d+$/);
    const url = at(json(created));
    expect(url.startsWith(`/MAAS/api/2.0/${one}`)).toBe(true);
    expect(json(await ask('GET', url))).toEqual(json(created));
    expect(json(await ask('POST', many, { name: 'rack-1' }))).toEqual({ name: [taken] });

    const renamed = await ask('PUT', url, { name: 'rack-2' });
    expect(renamed.status).toBe(200);
    expect(json(renamed)).toMatchObject({ name: 'rack-2' });
    expect((await ask('PUT', at(json(renamed)), { name: 'rack-2' })).status).toBe(200);

    expect((await ask('DELETE', at(json(renamed)))).status).toBe(204);
    const gone = await ask('GET', at(json(renamed)));
    expect([gone.status, gone.body]).toEqual([404, missing]);
    // The name is free again.
    const again = await ask('POST', many, { name: 'rack-2' });
    expect((await ask('DELETE', at(json(again)))).status).toBe(204);
  });

  test('needs an admin to write and a user to read', async () => {
    expect((await ask('GET', many, undefined, '')).status).toBe(401);
    expect((await ask('POST', many, { name: 'x' }, '')).status).toBe(401);
  });

  test('a joined cell reads, and names the hub when asked to write', async () => {
    expect((await ask('GET', many, undefined, admin.apiKey, {}, joined)).status).toBe(200);
    const refused = await ask('POST', many, { name: 'x' }, admin.apiKey, {}, joined);
    expect(refused.status).toBe(409);
    expect(refused.body).toContain('https://hub.example:5242');
  });
});

test('a zone may say in which cell a front creates what is to be in it', async () => {
  const south = { number: 5, name: 'south', key: '', url: '', out: false };
  await authority.write('config', 'test', (draft) => draft.put('cell', 5, south));
  const hall = async (): Promise<unknown> => json(await ask('GET', 'zones/hall/'));
  expect(json(await ask('POST', 'zones/', { name: 'hall', cell: 'north' }))).toEqual({ cell: ["No such cell: 'north'."] });
  await ask('POST', 'zones/', { name: 'hall', cell: 'south' });
  expect(await hall()).toMatchObject({ cell: 'south' });
  await ask('PUT', 'zones/hall/', { description: 'by the river' });
  expect(await hall()).toMatchObject({ cell: 'south', description: 'by the river' });
  await ask('PUT', 'zones/hall/', { cell: '' });
  expect(await hall()).not.toHaveProperty('cell');
  await authority.write('config', 'test', (draft) => draft.retire('cell', 5));
});

describe('retiring', () => {
  test('what is in use stays', async () => {
    const { resource_uri } = json(await ask('POST', 'resourcepools/', { name: 'busy' })) as { resource_uri: string };
    used = '3 machines';
    await setOther({ pool_id: Number(resource_uri.split('/').at(-2)) });
    const refused = await ask('DELETE', resource_uri);
    expect([refused.status, refused.body]).toEqual([409, `Resource pool busy is in use: ${fleet ? 'machines in c18' : used}.`]);
    used = undefined;
    await setOther({ pool_id: 0 });
    expect((await ask('DELETE', resource_uri)).status).toBe(204);
    expect((await ask('DELETE', resource_uri)).status).toBe(204);
  });

  test('what MAAS takes away from machines goes, used or not', async () => {
    await ask('POST', 'zones/', { name: 'busy' });
    const { id } = json(await ask('POST', 'spaces/', { name: 'busy' })) as { id: number };
    used = '3 machines';
    expect((await ask('DELETE', 'zones/busy/')).status).toBe(204);
    expect((await ask('DELETE', `spaces/${id}/`)).status).toBe(204);
    used = undefined;
  });

  test('the defaults stay', async () => {
    expect((await ask('DELETE', 'zones/default/')).status).toBe(400);
    expect((await ask('DELETE', 'resourcepool/0/')).status).toBe(400);
  });
});

describe('users, keys and sessions', () => {
  const ann = { username: 'ann', email: 'ann@example.org', password: 'correct horse battery', is_superuser: 'false' };

  test('a user signs in for a key, lists it masked, loses it', async () => {
    expect((await ask('POST', 'users/', ann)).status).toBe(200);
    expect(json(await ask('POST', 'users/', ann))).toEqual({ username: ['A user with that username already exists.'] });
    expect(json(await ask('POST', 'users/', { ...ann, username: 'bob' }))).toEqual({
      email: ['User with this E-mail address already exists.'],
    });

    const wrong = await ask('POST', '/MAAS/accounts/authenticate/', { username: 'ann', password: 'wrong password' }, '');
    expect(wrong.status).toBe(403);
    const login = { username: 'ann', password: ann.password, consumer: 'ann@laptop' };
    const got = json(await ask('POST', '/MAAS/accounts/authenticate/', login, '')) as Record<string, string>;
    const key = `${got['consumer_key']}:${got['token_key']}:${got['token_secret']}`;
    expect(key).toMatch(/^\w{18}:\w{18}:\w{32}$/);
    expect(json(await ask('GET', 'users/?op=whoami', undefined, key))).toMatchObject({ username: 'ann', is_superuser: false });
    expect((await ask('POST', 'zones/', { name: 'mine' }, key)).status).toBe(403);
    const listed = json(await ask('GET', 'account/?op=list_authorisation_tokens', undefined, key));
    expect(listed).toEqual([{ name: 'ann@laptop', token: `${got['consumer_key']}:${got['token_key']}:${'*'.repeat(32)}` }]);

    // The same consumer again replaces the key.
    await ask('POST', '/MAAS/accounts/authenticate/', login, '');
    const refused = await ask('GET', 'users/?op=whoami', undefined, key);
    expect([refused.status, refused.body]).toEqual([401, 'Authorization Error: Invalid API key.']);
  });

  test('nobody else can delete or rename my key', async () => {
    const mine = json(await ask('POST', 'account/?op=create_authorisation_token', { name: 'ci' })) as Record<string, string>;
    const login = { username: 'ann', password: ann.password };
    const hers = json(await ask('POST', '/MAAS/accounts/authenticate/', login, '')) as Record<string, string>;
    const her = `${hers['consumer_key']}:${hers['token_key']}:${hers['token_secret']}`;
    const attempt = { token_key: mine['token_key']! };
    expect((await ask('POST', 'account/?op=delete_authorisation_token', attempt, her)).status).toBe(404);
    expect((await ask('POST', 'account/?op=update_token_name', { token: mine['token_key']!, name: 'x' }, her)).status).toBe(404);
    expect((await ask('POST', 'account/?op=update_token_name', { token: mine['token_key']!, name: 'x' })).status).toBe(202);
    expect((await ask('POST', 'account/?op=delete_authorisation_token', attempt)).status).toBe(204);
  });

  test('a session by cookie or bearer, renewed, ended by signing out', async () => {
    const opened = await ask('POST', '/MAAS/accounts/session/', { username: 'ann', password: ann.password }, '');
    const { session } = json(opened) as { session: string };
    expect(String(opened.headers['set-cookie'])).toMatch(/^muster_session=\S+; Path=\/; Max-Age=900; HttpOnly; SameSite=Strict$/);
    const cookie = { cookie: `muster_session=${session}` };
    const bearer = { authorization: `Bearer ${session}` };
    expect(json(await ask('GET', 'users/?op=whoami', undefined, '', cookie))).toMatchObject({ username: 'ann' });
    expect(json(await ask('GET', 'users/?op=whoami', undefined, '', bearer))).toMatchObject({ username: 'ann' });

    const elsewhere = { ...cookie, origin: 'https://evil.example' };
    expect((await ask('POST', 'account/?op=create_authorisation_token', {}, '', elsewhere)).status).toBe(403);
    const renewed = json(await ask('PUT', '/MAAS/accounts/session/', {}, '', cookie)) as { session: string };
    expect((await ask('GET', 'users/?op=whoami', undefined, '', { cookie: `muster_session=${renewed.session}` })).status).toBe(200);
    expect((await ask('PUT', '/MAAS/accounts/session/', {})).status).toBe(401);

    expect((await ask('DELETE', '/MAAS/accounts/session/', undefined, '', cookie)).status).toBe(204);
    expect((await ask('GET', 'users/?op=whoami', undefined, '', bearer)).status).toBe(401);
    expect((await ask('GET', 'users/?op=whoami', undefined, '', { authorization: `Bearer ${renewed.session}` })).status).toBe(401);
  });

  test('guessing is slowed down', async () => {
    const guess = () => ask('POST', '/MAAS/accounts/authenticate/', { username: 'nobody', password: 'guess' }, '');
    const statuses = [];
    for (let count = 0; count < 11; count += 1) statuses.push((await guess()).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 403), 429]);
  });

  test('an heir takes over what a deleted user had', async () => {
    const ben = { username: 'ben', email: '', password: 'a long enough password', is_superuser: 'false' };
    expect((await ask('POST', 'users/', ben)).status).toBe(200);
    const leave = (to: string) => ask('DELETE', `users/ben/?transfer_resources_to=${to}`);
    expect([(await leave('nobody')).status, (await leave('ben')).status, transfers]).toEqual([404, 400, []]);
    if (fleet) {
      // Through a front the cells hand over what they have, and the hub need not judge that they did.
      await setOther({ owner: 'ben' });
      expect((await ask('DELETE', 'users/ben/')).status).toBe(409);
      expect((await leave('ann')).status).toBe(204);
      expect(await other()?.db.selectFrom('machine').select('owner').execute()).toEqual([{ owner: 'ann' }]);
      await setOther({ owner: null });
    } else {
      used = '1 machine';
      expect((await leave('ann')).status).toBe(409);
      used = undefined;
      expect((await leave('ann')).status).toBe(204);
      expect(transfers).toEqual(['ben to ann', 'ben to ann']);
    }
    expect((await leave('ann')).status).toBe(204);
  });

  test('a deleted user is nobody, at once', async () => {
    const login = { username: 'ann', password: ann.password };
    const hers = json(await ask('POST', '/MAAS/accounts/authenticate/', login, '')) as Record<string, string>;
    const her = `${hers['consumer_key']}:${hers['token_key']}:${hers['token_secret']}`;
    expect((await ask('DELETE', 'users/admin/')).status).toBe(400);
    expect((await ask('DELETE', 'users/ann/', undefined, her)).status).toBe(403);
    expect((await ask('DELETE', 'users/ann/')).status).toBe(204);
    expect((await ask('GET', 'users/?op=whoami', undefined, her)).status).toBe(401);
    expect((await ask('POST', '/MAAS/accounts/authenticate/', login, '')).status).toBe(403);
    expect((await ask('DELETE', 'users/ann/')).status).toBe(204);
  });
});

describe('SSH keys, settings, catalogue', () => {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEz0VcpeQLuDTd2l1nCB8D7c0nPvQ8nOnmYtxgsU0Kv me@laptop';

  test('an SSH key is checked, kept once, deleted', async () => {
    expect(json(await ask('POST', 'account/prefs/sshkeys/', { key: 'ssh-ed25519 nonsense' }))).toEqual({
      key: ['Invalid SSH public key.'],
    });
    const added = await ask('POST', 'account/prefs/sshkeys/', { key: `${key}\n` });
    expect(added.status).toBe(201);
    expect(json(added)).toMatchObject({ key, keysource: null });
    expect((await ask('POST', 'account/prefs/sshkeys/', { key: key.replace('me@', 'you@') })).status).toBe(400);
    const { resource_uri } = json(added) as { resource_uri: string };
    expect(json(await ask('GET', resource_uri))).toEqual(json(added));
    expect((await ask('DELETE', resource_uri)).status).toBe(204);
    expect((await ask('GET', resource_uri)).status).toBe(404);
  });

  test('a setting has its default, takes a value of its kind, and unknown names are refused', async () => {
    expect(json(await ask('GET', 'maas/?op=get_config&name=node_timeout'))).toBe(30);
    const set = await ask('POST', 'maas/?op=set_config', { name: 'node_timeout', value: '45' });
    expect([set.status, set.body]).toEqual([200, 'OK']);
    expect(json(await ask('GET', 'maas/?op=get_config&name=node_timeout'))).toBe(45);
    expect((await ask('POST', 'maas/?op=set_config', { name: 'node_timeout', value: 'soon' })).status).toBe(400);
    const unknown = await ask('GET', 'maas/?op=get_config&name=frobnicate');
    expect(unknown.status).toBe(400);
    expect(unknown.body).toContain('frobnicate is not a valid config setting');
  });

  test('catalogues are empty, not missing', async () => {
    expect(json(await ask('GET', 'package-repositories/'))).toEqual([]);
    expect(json(await ask('GET', 'boot-sources/'))).toEqual([]);
    expect(json(await ask('GET', 'boot-resources/'))).toEqual([]);
    expect((await ask('GET', 'boot-resources/7/')).status).toBe(404);
  });
});
