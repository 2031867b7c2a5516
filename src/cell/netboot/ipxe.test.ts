import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bootAsker, macAddress } from './boot-asker.ts';
import { renderEnvironment, renderLocal, renderOff, renderRetry, startScript } from './ipxe.ts';
import { settingRules } from '../../contract/resources/setting-rules.ts';
import { encodeParameters, parseParameters, refuseParameters } from './kernel-parameters.ts';

const digest = 'ab'.repeat(32);
const environment = { kernel: { sha256: digest, name: 'vmlinuz' }, initrd: { sha256: digest, name: 'initrd.img' } };

test('an environment is two digests and a command line', () => {
  expect(renderEnvironment({ ...environment, parameters: [['muster_purpose', 'deploy'], ['quiet']] })).toBe(
    [
      '#!ipxe',
      'imgfree',
      `initrd --name initrd.img /boot/file/${digest}/initrd.img || goto again`,
      `kernel --name vmlinuz /boot/file/${digest}/vmlinuz initrd=initrd.img muster_purpose=deploy quiet || goto again`,
      'boot || goto again',
      ':again',
      'sleep 5',
      'imgfree',
      'chain --autofree --replace /boot/start.ipxe || goto again',
      '',
    ].join('\n'),
  );
});

const word = fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.stringMatching(/^[A-Za-z0-9_.-]{1,20}$/));

test('whatever a kernel parameter holds, it stays one word on one line and expands to nothing, or is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(word, fc.option(word, { nil: undefined })), { maxLength: 8 }), (parameters) => {
      const refused = refuseParameters(parameters);
      if (refused !== undefined) {
        expect(() => renderEnvironment({ ...environment, parameters })).toThrow(RangeError);
        return;
      }
      const line = encodeParameters(parameters);
      expect(line).toMatch(/^[A-Za-z0-9_.,:/@%+=~ -]*$/);
      expect(line ? line.split(' ').length : 0).toBe(parameters.length);
      expect(renderEnvironment({ ...environment, parameters }).split('\n').length).toBe(10);
    }),
    { numRuns: 1000 },
  );
});

test.each(['a b', 'x\ny', '${net0/mac}', '$x', '"q"', "'", '`id`', '\\', 'ü', '\u0000', '||', '#'])('the value %j is refused', (value) => {
  expect(refuseParameters([['console', value]])).toContain('kernel parameter console');
});

test('a command line longer than the kernel takes is refused, operator’s options are split at spaces', () => {
  expect(refuseParameters(Array.from({ length: 9 }, (_, i) => [`p${i}`, 'x'.repeat(250)] as const))).toContain('the limit is 2047');
  expect(parseParameters('  console=ttyS0,115200 quiet  a=b=c ')).toEqual([['console', 'ttyS0,115200'], ['quiet'], ['a', 'b=c']]);
  expect(() => parseParameters('quiet x=$(reboot)')).toThrow(RangeError);
});

test('whatever the setting kernel_opts may be can be put on a command line', () => {
  const { pattern } = settingRules.kernel_opts;
  const tokens = fc.array(fc.oneof(word, fc.constantFrom(' ', '=', 'a', '${x}', 'a=b')), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.oneof(
        tokens.map((some) => some.join('')),
        fc.stringMatching(/^( *[a-z.]{1,9}(=[a-z,:/]{0,9})?)( +[a-z]{1,9}){0,9} *$/),
      ),
      (text) => {
        if (new RegExp(pattern, 'u').test(text)) expect(encodeParameters(parseParameters(text))).toBe(text.trim().replace(/ +/g, ' '));
      },
    ),
    { numRuns: 1000 },
  );
});

test('file names and digests that could leave their place are refused', () => {
  for (const name of ['../x', 'a/b', '-x', 'a b', '', '${x}', 'a\nb']) {
    expect(() => renderEnvironment({ ...environment, kernel: { sha256: digest, name }, parameters: [] })).toThrow(RangeError);
  }
  expect(() => renderEnvironment({ ...environment, kernel: { sha256: digest.toUpperCase(), name: 'vmlinuz' }, parameters: [] })).toThrow(
    RangeError,
  );
});

test('no script leads into a shell or ends without saying how', () => {
  for (const script of [startScript(), renderLocal('bios'), renderLocal('uefi'), renderOff('bios'), renderOff('uefi'), renderRetry()]) {
    expect(script).toMatch(/^#!ipxe\n/);
    expect(script).not.toMatch(/shell|prompt|config/);
    expect(script.trim().split('\n').at(-1)).toMatch(/^(exit( 1)?|.*goto again)$/);
    for (const [, label] of script.matchAll(/goto (\w+)/g)) expect(script).toContain(`\n:${label}\n`);
  }
});

test('with other addresses every fetch is tried at each of them, and one address changes nothing', () => {
  const others = ['http://10.0.0.2:5240'];
  const scripts = [startScript(others), renderEnvironment({ ...environment, parameters: [] }, others), renderLocal('uefi', others)];
  for (const text of [...scripts, renderOff('bios', others), renderOff('uefi', others), renderRetry(others)])
    for (const line of text.split('\n').filter((one) => one.includes('/boot/'))) {
      const [here, there] = line.split(' || ');
      const path = /\/boot\/\S+/.exec(here ?? '')?.[0] ?? 'none';
      // The same command with the same file, relative first: the server that the script came from.
      expect(there?.replace(/ \|\|$/, '')).toBe(here?.replace(path, others[0] + path));
      expect(here).not.toContain('http:');
    }
  expect(() => startScript(['http://a b'])).toThrow(RangeError);
});

test('the start script names neither the cell nor a machine', () => {
  expect(startScript()).not.toMatch(/http:|\d+\.\d+\.\d+/);
});

test('any query is read without a throw, and only a parsed MAC comes out', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('mac', 'platform', 'uuid', 'serial', 'arch', 'try'), fc.string({ maxLength: 60 })),
      (query) => {
        const asker = bootAsker(new URLSearchParams(query), '10.0.0.9');
        if (asker.mac !== undefined) expect(asker.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
        if (asker.serial !== undefined) expect(asker.serial).toMatch(/^[\x20-\x7e]{1,64}$/);
        expect(asker.tries).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
});

test.each([
  ['52-54-00-AA-bb-01', '52:54:00:aa:bb:01'],
  ['52:54:00:aa:bb:01', '52:54:00:aa:bb:01'],
  ['52:54-00:aa:bb:01', undefined],
  ['01:00:5e:00:00:01', undefined],
  ['00:00:00:00:00:00', undefined],
  ['52:54:00:aa:bb', undefined],
  ['52:54:00:aa:bb:01\n', undefined],
])('MAC %j → %j', (text, mac) => {
  expect(macAddress(text)).toBe(mac);
});

test('an asker as iPXE writes it', () => {
  const query = new URLSearchParams(
    'mac=52-54-00-00-00-01&platform=efi&uuid=4C4C4544-0042-4410-8052-B1C04F564433&serial=1%20AB&arch=x86_64&try=3',
  );
  expect(bootAsker(query, '10.0.0.9')).toEqual({
    mac: '52:54:00:00:00:01',
    uuid: '4c4c4544-0042-4410-8052-b1c04f564433',
    serial: '1 AB',
    firmware: 'uefi',
    architecture: 'amd64',
    address: '10.0.0.9',
    tries: 3,
  });
  expect(bootAsker(new URLSearchParams('uuid=00000000-0000-0000-0000-000000000000'), 'x')).not.toHaveProperty('uuid');
});
