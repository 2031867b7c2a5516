// Every setting of MAAS: its default, what it takes, and what it refuses.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../../test/global-api.ts';
import { settingRules, type SettingName, type SettingRule } from '../../contract/resources/setting-rules.ts';
import { parseSetting, settingAddresses, settingOf } from './settings.ts';

let api: GlobalApi;
beforeAll(async () => {
  api = await globalApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const rules = Object.entries(settingRules) as [SettingName, SettingRule][];

test.each(rules)('%s: its default is a value of its rule', (name, rule) => {
  const reader = { get: () => undefined };
  expect(settingOf(reader, name)).toEqual(rule.value);
  expect(parseSetting(name, rule.value === null ? '' : String(rule.value))).toEqual(rule.value);
  if (rule.choices) for (const choice of rule.choices) expect(parseSetting(name, String(choice))).toBe(choice);
});

test.each(rules.filter(([, { kind }]) => kind !== 'text').map(([name, { kind }]) => [name, kind] as const))(
  '%s takes only a %s',
  (name) => {
    expect(() => parseSetting(name, '!?')).toThrow(name);
  },
);

test.each([
  ['kernel_opts', 'a=1 b', true],
  ['kernel_opts', 'a=1  b.c=/dev/sda,rw ', true],
  ['kernel_opts', 'a=${net0}', false],
  ['kernel_opts', 'a="b c"', false],
  ['kernel_opts', 'x'.repeat(65), false],
  ['kernel_opts', 'ab '.repeat(400), false],
  ['maas_name', '  ', false],
  ['maas_name', 'Größe & Söhne', true],
  ['ntp_servers', '10.0.0.1, ntp.example.org [fd00::1]:123', true],
  ['ntp_servers', '10.0.0.1;reboot', false],
  ['http_proxy', 'http://proxy.example:3128/', true],
  ['http_proxy', 'proxy.example', false],
  ['node_timeout', '0', false],
  ['node_timeout', '1.5', false],
  ['maas_proxy_port', '65536', false],
  ['hardware_sync_interval', '1h30m', true],
  ['hardware_sync_interval', 'often', false],
  ['default_storage_layout', 'lvm', true],
  ['default_storage_layout', 'LVM', false],
  ['default_distro_series', '', false],
] as const)('%s=%j: %s', (name, text, isGood) => {
  const parse = (): unknown => parseSetting(name, text);
  let refusal = '';
  try {
    parse();
  } catch (error) {
    refusal = String(error);
  }
  expect(refusal).toEqual(isGood ? '' : expect.stringContaining(name));
});

test('only addresses reach DHCP; what another version stored is not believed', () => {
  const reader = (value: unknown) => ({ get: () => ({ value }) as never });
  expect(settingAddresses(reader('10.0.0.1 ntp.example.org fd00::1 10.0.0.2'), 'ntp_servers')).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(settingOf(reader(7), 'ntp_servers')).toBeNull();
  expect(settingOf(reader('often'), 'node_timeout')).toBe(30);
  expect(settingOf(reader('a=${x}'), 'kernel_opts')).toBeNull();
  expect(settingOf(reader('fish'), 'default_storage_layout')).toBe('flat');
});

describe('over the API', () => {
  const set = async (name: string, value?: string) => {
    const answer = await api.ask('POST', 'maas/?op=set_config', { name, ...(value === undefined ? {} : { value }) });
    return [answer.status, answer.text];
  };
  const read = async (name: string, key?: string) => {
    const answer = await api.ask('GET', 'maas/?op=get_config', { name }, { ...(key === undefined ? {} : { key }), joined: true });
    return [answer.status, answer.text];
  };

  test('values are bare JSON of their type, and empty is nothing', async () => {
    for (const [name, value, text] of [
      ['upstream_dns', '8.8.8.8 1.1.1.1', '"8.8.8.8 1.1.1.1"'],
      ['upstream_dns', undefined, 'null'],
      ['ntp_servers', '10.0.0.1', '"10.0.0.1"'],
      ['ntp_server', '10.0.0.2', '"10.0.0.2"'],
      ['maas_proxy_port', '8001', '8001'],
      ['curtin_verbose', 'no', 'false'],
      ['active_discovery_interval', '600', '600'],
    ] as const) {
      expect(await set(name, value)).toEqual([200, 'OK']);
      expect(await read(name)).toEqual([200, text]);
    }
  });

  test('what is refused changes nothing', async () => {
    const before = api.authority.memory.revision('config');
    expect(await set('node_timeout', 'soon')).toEqual([400, '{"node_timeout":["Enter a whole number."]}']);
    expect(await set('dnssec_validation', 'maybe')).toEqual([400, '{"dnssec_validation":["Not one of the choices: auto, yes, no."]}']);
    expect(await set('frobnicate', '1')).toEqual([400, expect.stringContaining('frobnicate is not a valid config setting')]);
    expect(await read('__proto__')).toEqual([400, expect.stringContaining('not a valid config setting')]);
    expect(api.authority.memory.revision('config')).toEqual(before);
  });

  test('passwords are for administrators', async () => {
    await api.ask('POST', 'users/', { username: 'ann', email: '', password: 'a long enough password', is_superuser: 'false' });
    const login = await api.ask(
      'POST',
      '/MAAS/accounts/authenticate/',
      { username: 'ann', password: 'a long enough password' },
      { key: '' },
    );
    const { consumer_key, token_key, token_secret } = login.json<Record<string, string>>();
    const ann = `${consumer_key}:${token_key}:${token_secret}`;
    expect(await set('vcenter_password', 'x y')).toEqual([200, 'OK']);
    expect(await read('vcenter_password')).toEqual([200, '"x y"']);
    expect((await read('vcenter_password', ann))[0]).toBe(403);
    expect(await read('maas_name', ann)).toEqual([200, '"muster"']);
    expect((await api.ask('POST', 'maas/?op=set_config', { name: 'maas_name', value: 'x' }, { key: ann })).status).toBe(403);
  });
});
