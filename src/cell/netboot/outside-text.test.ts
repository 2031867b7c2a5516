import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSnippet } from './dhcp-snippet.ts';
import { explainKea } from './kea-trouble.ts';
import { parseAnswer } from './kea-control.ts';
import { parseInterfaces } from './interfaces.ts';
import { parseLeases } from './lease.ts';
import { renderRadvdConfig } from './router-advertisement.ts';

test.each([
  ['{"hooks-libraries":[{"library":"/tmp/x.so"}]}', 'the key "hooks-libraries" is not allowed'],
  ['{"control-socket":{}}', 'the key "control-socket" is not allowed'],
  ['{"interface":"eth0"}', 'the key "interface" is not allowed'],
  ['{"option-data":[{"name":"routers","data":"1.2.3.4","client-class":"x"}]}', 'option-data has the key "client-class"'],
  ['{"option-data":[{"data":"x"}]}', 'neither name nor code'],
  ['{"option-data":{}}', 'option-data is not a list'],
  ['{"valid-lifetime":"long"}', 'valid-lifetime is not a number of seconds'],
  ['option domain-name "x";', 'it is not JSON'],
  ['[]', 'it is not a JSON object'],
])('%s is refused', (json, why) => {
  expect(parseSnippet({ name: 'x', json })).toMatchObject({ refused: expect.stringContaining(why) });
});

test('any text is settings or a reason, never a throw, and settings hold nothing but options and times', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (json) => {
      const parsed = parseSnippet({ name: 'x', json });
      if ('settings' in parsed)
        expect(Object.keys(parsed.settings).every((key) => /^(option-data|.*-lifetime|.*-timer)$/.test(key))).toBe(true);
      else expect(parsed.refused).not.toBe('');
    }),
  );
});

test('leases: what is no active lease is left out, whatever arrives', () => {
  const lease = {
    'ip-address': '10.0.0.9',
    'hw-address': '52:54:00:00:00:01',
    'subnet-id': 7,
    cltt: 1000,
    'valid-lft': 600,
    state: 0,
    hostname: 'n',
  };
  const declined = { ...lease, 'ip-address': '10.0.0.10', state: 1 };
  const active = { address: '10.0.0.9', mac: '52:54:00:00:00:01', hostname: 'n', subnetId: 7, expires: 1600 };
  const wrong = [{ ...lease, cltt: 'x' }, { ...lease, 'ip-address': 'x' }, { ...lease, 'hw-address': '' }, null, 3];
  expect(parseLeases({ leases: [lease, ...wrong, declined] }, 10)).toEqual({ leases: [active], next: undefined });
  // A page is full by what Kea sent, and not by what is left of it.
  expect(parseLeases({ leases: [lease, declined] }, 2)).toEqual({ leases: [active], next: '10.0.0.10' });
  for (const hostname of ['a\u0000b', 'a b', 'x'.repeat(300), 7])
    expect(parseLeases({ leases: [{ ...lease, hostname }] }, 10).leases).toEqual([{ ...active, hostname: '' }]);
  fc.assert(fc.property(fc.anything(), (any) => Array.isArray(parseLeases(any, 10).leases)));
});

test('Kea’s answers: anything that is none is an error with its text', () => {
  expect(parseAnswer('{"result":0,"text":"ok"}')).toEqual({ result: 0, text: 'ok', arguments: undefined });
  for (const body of ['', '[]', 'null', '{"result":"0"}', '<html>']) expect(() => parseAnswer(body)).toThrow(Error);
});

test('Kea’s log is explained where an operator can do something', () => {
  const line = (text: string): string => `2026-11-23 13:39:27.338 ERROR [kea-dhcp4.dhcp4/1.2] DHCP4_INIT_FAIL ${text}`;
  expect(explainKea(line("Unable to open '/data/leases4.csv': Permission denied"))).toContain('AppArmor');
  expect(explainKea(line('failed to bind: Address already in use'))).toContain('another DHCP server');
  expect(explainKea('2026-11-23 13:39:27.338 INFO  [kea-dhcp4] DHCP4_STARTED Permission denied is not a problem here')).toBeUndefined();
  fc.assert(fc.property(fc.string(), (log) => ['string', 'undefined'].includes(typeof explainKea(log))));
});

test('interfaces as the kernel lists them', () => {
  expect(parseInterfaces('Inter-|   Receive\n face |bytes\n    lo:  0 0\n eth0.5: 1 2\nbr-rack:99 0\n')).toEqual([
    'lo',
    'eth0.5',
    'br-rack',
  ]);
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseInterfaces(text))));
});

test('router advertisements: interfaces with DHCP that are here, each once; odd names are no configuration', () => {
  const plan = (names: readonly string[]) => ({
    vlans: names.map((name, id) => ({ id, dhcpOn: name !== 'off0', interface: name, subnets: [] })),
  });
  const present = ['br1', 'br0', 'off0', 'x { };', 'a"b'];
  const config = renderRadvdConfig(plan(['br1', 'br0', 'br1', 'off0', 'gone0', 'x { };', 'a"b']), present);
  expect(config.match(/^interface .*$/gm)).toEqual(['interface br0 {', 'interface br1 {']);
  expect(config).not.toContain('prefix');
  expect(renderRadvdConfig(plan(['br0', 'br1']), present)).toBe(renderRadvdConfig(plan(['br1', 'br0']), present));
});
