import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestInventory, readInventory } from './inventory.ts';

const good = {
  schema: 1,
  architecture: 'amd64',
  firmware: 'bios',
  hardware_uuid: '11111111-2222-3333-4444-55555555AAAA',
  system: { vendor: 'QEMU', serial: '' },
  mainboard: {},
  bios: { version: '1' },
  cpu: { model: 'kvm64', count: 2, mhz: 2400.6 },
  memory_mib: 1024,
  disks: [
    { name: 'vda', serial: 's1', wwn: '', size: 100, block_size: 512 },
    { name: 'sr0', size: 100, block_size: 2048, removable: true },
    { name: 'sdb', size: 0, block_size: 512 },
  ],
  interfaces: [{ name: 'eth0', mac: '52:54:00:00:00:AB', speed_mbps: -1, link: true, boot: true }],
};
const read = (value: unknown) => readInventory(Buffer.from(JSON.stringify(value)));

test('an inventory becomes a machine: nothing removable or empty, lower case, no negative speed', () => {
  const reading = read(good);
  if (!('found' in reading)) throw new Error(reading.problem);
  expect(reading.found).toMatchObject({
    hardwareUuid: '11111111-2222-3333-4444-55555555aaaa',
    serial: null,
    cpuSpeed: 2401,
    disks: [{ name: 'vda', serial: 's1', wwn: null, size: 100 }],
    interfaces: [{ mac: '52:54:00:00:00:ab', speed: 0, link: true, boot: true }],
    hardwareInfo: { system_vendor: 'QEMU', system_serial: 'Unknown' },
  });
});

test('any bytes are a machine or one line of a problem', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('', '\0', '\ud800', -1, 1e300, null, [], {}));
  const paths = ['disks', 'interfaces', 'cpu', 'system', 'memory_mib', 'firmware', 'hardware_uuid', 'schema', 'architecture', '__proto__'];
  const twisted = fc.dictionary(fc.constantFrom(...paths), value).map((more) => JSON.stringify({ ...good, ...more }));
  fc.assert(
    fc.property(
      fc.oneof(
        twisted.map((text) => Buffer.from(text)),
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        const reading = readInventory(bytes);
        if ('problem' in reading) expect(reading.problem).toMatch(/^the inventory [^\n]{1,300}$/);
        else expect(JSON.stringify(reading.found)).not.toMatch(/\\u0000|\\ud[89a-f]/);
      },
    ),
    { numRuns: 400 },
  );
});

test.each([
  [
    'one MAC twice, in two spellings',
    {
      interfaces: [
        { name: 'a', mac: '52:54:00:00:00:ab' },
        { name: 'b', mac: '52:54:00:00:00:AB' },
      ],
    },
  ],
  ['one disk name twice', { disks: [good.disks[0], { ...good.disks[0], serial: 's2' }] }],
  [
    'one interface name twice',
    {
      interfaces: [
        { name: 'a', mac: '52:54:00:00:00:01' },
        { name: 'a', mac: '52:54:00:00:00:02' },
      ],
    },
  ],
  ['NUL in a serial', { system: { serial: 'a\0' } }],
  ['half a surrogate pair', { system: { vendor: '\ud800' } }],
  ['another schema', { schema: 2 }],
])('%s is a problem, not a guess', (_why, more) => {
  expect(read({ ...good, ...more })).toHaveProperty('problem');
});

test('two disks with one serial are kept by name, and told apart by nothing else', () => {
  const reading = read({
    ...good,
    disks: [good.disks[0], { ...good.disks[0], name: 'vdb' }, { ...good.disks[0], name: 'vdc', serial: 's2' }],
  });
  if (!('found' in reading)) throw new Error(reading.problem);
  expect(reading.found.disks.map((disk) => [disk.name, disk.serial])).toEqual([
    ['vda', null],
    ['vdb', null],
    ['vdc', 's2'],
  ]);
});

test('an inventory larger than any machine’s is not even parsed', () => {
  expect(readInventory(Buffer.alloc(largestInventory + 1, 0x20))).toEqual({
    problem: `the inventory is larger than ${largestInventory} bytes`,
  });
});
