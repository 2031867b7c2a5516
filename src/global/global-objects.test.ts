// SSL keys, notifications, licence keys, and what is gone, asked of an authority and of a cell that has joined.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi, type GlobalFields } from '../../test/global-api.ts';
import { selfSignedCertificate } from './certificate.ts';
import { generateSigningKey } from './signing-key.ts';

let api: GlobalApi;
let ann: string;
let bob: string;

beforeAll(async () => {
  api = await globalApi();
  ann = await api.person('ann');
  bob = await api.person('bob');
});
afterAll(() => api[Symbol.asyncDispose]());

describe('SSL keys', () => {
  const pem = selfSignedCertificate(generateSigningKey(), 'ann');

  test("are checked, kept once, and their owner's", async () => {
    const added = await api.ask('POST', 'account/prefs/sslkeys/', { key: pem.replaceAll('\n', '\r\n') }, { key: ann });
    const { id, resource_uri } = added.json<{ id: number; resource_uri: string }>();
    expect([added.status, added.json()]).toEqual([
      201,
      { id, key: `${pem.trim()}\n`, resource_uri: `/MAAS/api/2.0/account/prefs/sslkeys/${id}/` },
    ]);
    expect((await api.ask('GET', 'account/prefs/sslkeys/', undefined, { key: ann })).json()).toEqual([added.json()]);
    expect((await api.ask('GET', resource_uri, undefined, { key: ann })).json()).toEqual(added.json());
    expect(await api.told('POST', 'account/prefs/sslkeys/', { key: pem }, { key: ann })).toEqual([
      400,
      '{"__all__":["This key has already been added for this user."]}',
    ]);
    expect((await api.ask('GET', 'account/prefs/sslkeys/')).json()).toEqual([]);
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await api.ask(method, resource_uri)).status).toBe(403);
      expect((await api.ask(method, 'account/prefs/sslkeys/1/')).status).toBe(404);
    }
    expect((await api.ask('DELETE', resource_uri, undefined, { key: ann })).status).toBe(204);
    expect((await api.ask('GET', resource_uri, undefined, { key: ann })).status).toBe(404);
  });

  test.each([
    ['nothing', ''],
    ['words', 'a key'],
    ['two of them', `${pem}${pem}`],
    ['a broken one', pem.replace(/[A-Z]{4}/, 'AAAA').slice(0, 200)],
    ['a private key', execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' })],
  ])('%s is none', async (_what, key) => {
    expect((await api.ask('POST', 'account/prefs/sslkeys/', { key }, { key: ann })).status).toBe(400);
  });
});

interface Notice {
  readonly id: number;
  readonly message: string;
  readonly resource_uri: string;
}

describe('notifications', () => {
  const tell = async (given: GlobalFields): Promise<Notice> => {
    const answer = await api.ask('POST', 'notifications/', given);
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
    return answer.json<Notice>();
  };
  const seenBy = async (key: string | undefined): Promise<string[]> =>
    (await api.ask('GET', 'notifications/', undefined, key === undefined ? {} : { key })).json<Notice[]>().map((one) => one.message);

  test('are as MAAS has them, with the text that is meant', async () => {
    const made = await tell({ message: '{n} disks of {{x}}', context: '{"n": 3}', category: 'warning', ident: 'disks', user: 'ann' });
    expect(made).toEqual({
      id: made.id,
      ident: 'disks',
      user: { username: 'ann', email: '', is_superuser: false, is_local: true, resource_uri: '/MAAS/api/2.0/users/ann/' },
      users: false,
      admins: false,
      message: '{n} disks of {{x}}',
      context: { n: 3 },
      text: '3 disks of {x}',
      category: 'warning',
      dismissable: true,
      resource_uri: `/MAAS/api/2.0/notifications/${made.id}/`,
    });
    expect(await seenBy(ann)).toEqual(['{n} disks of {{x}}']);
    expect([await seenBy(bob), await seenBy(undefined)]).toEqual([[], []]);
    const changed = await api.ask('PUT', made.resource_uri, { message: 'fine', user: '', users: 'true', ident: '' });
    expect(changed.json()).toMatchObject({ message: 'fine', user: null, users: true, ident: null, category: 'warning' });
    expect([await seenBy(ann), await seenBy(bob), await seenBy(undefined)]).toEqual([['fine'], ['fine'], []]);
    expect((await api.ask('DELETE', made.resource_uri)).status).toBe(204);
    expect((await api.ask('GET', made.resource_uri)).status).toBe(404);
  });

  test('each dismisses them for themselves', async () => {
    const users = await tell({ message: 'to users', users: 'true' });
    const admins = await tell({ message: 'to admins', admins: 'true', dismissable: 'false' });
    const dismiss = async (notice: Notice, key: string) =>
      (await api.ask('POST', `${notice.resource_uri}?op=dismiss`, {}, key === '' ? {} : { key })).status;
    expect([await dismiss(users, ann), await dismiss(users, ann), await dismiss(admins, ann)]).toEqual([200, 200, 403]);
    expect([await dismiss(admins, ''), await dismiss(users, '')]).toEqual([400, 403]);
    expect([await seenBy(ann), await seenBy(bob), await seenBy(undefined)]).toEqual([[], ['to users'], ['to admins']]);
    expect((await api.ask('GET', admins.resource_uri, undefined, { key: bob })).status).toBe(403);
    expect((await api.ask('GET', users.resource_uri, undefined, { joined: true })).json()).toMatchObject({ message: 'to users' });
    for (const one of [users, admins]) await api.ask('DELETE', one.resource_uri);
    expect(api.authority.memory.list('notification_dismissal')).toEqual([]);
  });

  test.each([
    [{}, 'message'],
    [{ message: '{gone}' }, '__all__'],
    [{ message: '{' }, '__all__'],
    [{ message: 'x', context: '[]' }, 'context'],
    [{ message: 'x', context: '{' }, 'context'],
    [{ message: 'x', context: '{"a":"\\u0000"}' }, 'context'],
    [{ message: 'x', context: '{"a":"\\ud800"}' }, 'context'],
    [{ message: 'x', context: JSON.stringify({ a: 'x'.repeat(5_000) }) }, 'context'],
    [{ message: 'x', category: 'loud' }, 'category'],
    [{ message: 'x', user: 'nobody' }, 'user'],
    [{ message: 'x', users: 'maybe' }, 'users'],
    [{ message: 'x', ident: 'a b' }, 'ident'],
    [{ message: 'x', ident: 'taken' }, 'ident'],
    [{ message: 'x', context: '{"a":"\\u0000"}' }, 'context'],
    [{ message: 'x', context: '{"a":"\\ud800"}' }, 'context'],
    [{ message: '{a}'.repeat(1_000), context: `{"a":"${'x'.repeat(1_000)}"}` }, '__all__'],
  ])('%j is refused for its %s', async (given, field) => {
    if ('ident' in given && given.ident === 'taken') await tell({ message: 'x', ident: 'taken' });
    const answer = await api.ask('POST', 'notifications/', given);
    expect([answer.status, Object.keys(answer.json())]).toEqual([400, [field]]);
  });
});

describe('licence keys', () => {
  const key = 'AAAAA-BBBBB-CCCCC-DDDDD-EEEEE';
  const win = { osystem: 'windows', distro_series: 'win2022', license_key: key };
  const path = 'license-key/windows/win2022';

  test('there is one for a system and release, for administrators', async () => {
    const made = await api.ask('POST', 'license-keys/', win);
    expect([made.status, made.json()]).toEqual([200, { ...win, resource_uri: `/MAAS/api/2.0/${path}` }]);
    expect((await api.ask('GET', 'license-keys/')).json()).toEqual([made.json()]);
    expect((await api.ask('GET', path, undefined, { joined: true })).json()).toEqual(made.json());
    expect((await api.ask('POST', 'license-keys/', win)).status).toBe(400);
    expect((await api.ask('PUT', path, { license_key: key.toLowerCase() })).json()).toMatchObject({ license_key: key.toLowerCase() });
    expect(await api.told('PUT', path, { license_key: 'short' })).toEqual([400, '{"license_key":["Invalid license key."]}']);
    for (const [method, at] of [
      ['GET', path],
      ['GET', 'license-keys/'],
      ['DELETE', path],
    ] as const)
      expect((await api.ask(method, at, undefined, { key: ann })).status).toBe(403);
    expect((await api.ask('DELETE', path)).status).toBe(204);
    expect(await api.told('GET', path)).toEqual([404, 'No LicenseKey matches the given query.']);
    expect((await api.ask('DELETE', path)).status).toBe(404);
    // What is retired is kept, but not what was secret in it.
    expect(JSON.stringify(api.authority.memory.documents('config'))).not.toContain(key.toLowerCase());
    expect((await api.ask('POST', 'license-keys/', { ...win, osystem: 'a/b' })).status).toBe(400);
  });
});

describe('what is gone', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE'] as const)('%s', async (method) => {
    for (const path of [
      'pods/',
      'pods/7/',
      'pods/7/?op=compose',
      'vm-hosts/',
      'vm-hosts/7',
      'virtual-machines/',
      'virtual-machines/7',
      'vm-clusters/7',
      'pods/7/op-refresh',
    ])
      for (const key of ['', bob])
        expect(await api.told(method, path, undefined, { key }), path).toEqual([410, 'VM host (KVM) support has been removed from MAAS.']);
  });

  test('groups, and what is below a pod, are no endpoints', async () => {
    for (const path of ['groups/', 'groups/7/', 'pods/7/x/', 'podsx/']) expect((await api.ask('GET', path)).status, path).toBe(404);
    const described = await api.ask('GET', 'describe/');
    expect(described.text).not.toMatch(/"path":"\/MAAS\/api\/2.0\/(pods|vm-hosts|virtual-machines|vm-clusters|groups)/);
  });
});
