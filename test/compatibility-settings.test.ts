/** Rows of docs/compatibility.md on what is global: settings without effect, and how much of each thing there may be. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingRules, type SettingRule } from '../src/contract/resources/setting-rules.ts';
import { globalApi } from './global-api.ts';

const root = join(import.meta.dirname, '..');

test('nothing reads the settings that are only kept', () => {
  const source = globSync('src/{cell,front,hub,global,http,cli}/**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const rules: readonly (readonly [string, SettingRule])[] = Object.entries(settingRules);
  const kept = rules.filter(([, rule]) => rule.kept === true).map(([name]) => name);
  expect(kept).toEqual(expect.arrayContaining(['http_proxy', 'vcenter_server', 'enlist_commissioning', 'node_timeout']));
  const read = new Set([...source.matchAll(/setting(?:Of|Addresses)\([\w.]+, '(\w+)'/g)].map(([, name]) => name));
  expect([...read]).toEqual(expect.arrayContaining(['kernel_opts', 'ntp_servers', 'default_storage_layout']));
  expect(kept.filter((name) => read.has(name))).toEqual([]);
});

test('there is an end to what is kept, and it is said', async () => {
  await using api = await globalApi();
  const { id: user } = api.authority.memory.list('user')[0]!;
  const fill = (kind: 'sshkey' | 'sslkey' | 'notification' | 'oidc_provider', count: number, body: object) =>
    api.authority.write(kind === 'sshkey' || kind === 'sslkey' ? 'access' : 'config', 'test', (draft) => {
      for (let n = 0; n < count; n += 1) draft.put(kind, 700_000 + n, { ...body, id: 700_000 + n } as never);
    });
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEz0VcpeQLuDTd2l1nCB8D7c0nPvQ8nOnmYtxgsU0Kv me@there';
  await fill('sshkey', 500, { user, key: 'ssh-ed25519 AAAA', keysource: null });
  expect(await api.told('POST', 'account/prefs/sshkeys/', { key })).toEqual([400, 'This user has 500 SSH keys, which is the limit.']);
  await fill('notification', 1_000, {
    ident: null,
    user: null,
    users: true,
    admins: true,
    message: 'x',
    context: {},
    category: 'info',
    dismissable: true,
  });
  const [status, text] = await api.told('POST', 'notifications/', { message: 'one more', users: 'true' });
  expect([status, text]).toEqual([400, 'There are 1000 notifications, which is the limit. Delete some.']);
});

test('a file’s name has no slash', async () => {
  await using api = await globalApi();
  expect((await api.ask('POST', 'files/', { filename: 'a/b', file: 'x' })).status).toBe(400);
  expect((await api.ask('POST', 'files/', { filename: 'a-b', file: 'x' })).status).toBe(201);
});
