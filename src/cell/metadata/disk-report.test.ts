import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { readDiskReport } from './disk-report.ts';

test('any text is disks or a Failure that names the line', () => {
  const key = fc.constantFrom('name', 'serial', 'wwn', 'size', 'block_size', 'model', 'signatures', 'marker', 'x');
  const pairs = fc.array(fc.tuple(key, fc.string({ unit: 'binary', maxLength: 40 }))).map((all) => new URLSearchParams(all).toString());
  const lines = fc.array(fc.oneof(fc.string({ unit: 'binary' }), pairs), { maxLength: 4 });
  fc.assert(
    fc.property(lines, (given) => {
      try {
        for (const disk of readDiskReport(given)) {
          expect(disk.name).toMatch(/^[A-Za-z0-9_.:-]{1,64}$/);
          expect(Number.isSafeInteger(disk.size) && disk.size >= 0).toBe(true);
          expect(`${disk.serial}${disk.wwn}${disk.marker}${disk.signatures.join('')}`).toMatch(/^[\x20-\x7e]*$/);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect((error as Failure).fields?.['disk']?.[0]).toMatch(/^Line \d+: /);
      }
    }),
    { numRuns: 500 },
  );
});

test('what the agent sends comes back, with the encoding undone once', () => {
  const line =
    'name=vda&serial=a%20b%26c&wwn=&bus=pci-0000%3A00%3A04.0&size=10737418240&block_size=512&model=QEMU&signatures=ext4%2Cgpt&marker=muster+4y3h+7+deploy+done+abc';
  expect(readDiskReport([line])).toEqual([
    { name: 'vda', serial: 'a b&c', wwn: '', size: 10_737_418_240, signatures: ['ext4', 'gpt'], marker: 'muster 4y3h 7 deploy done abc' },
  ]);
});

test.each([
  ['size is missing', 'name=vda'],
  ['size is no number', 'name=vda&size=12x'],
  ['size is larger than any disk', 'name=vda&size=9999999999999999'],
  ['the name would be a path', 'name=../vda&size=1'],
  ['a serial with a line break', 'name=vda&size=1&serial=a%0Ab'],
  ['too many signatures', `name=vda&size=1&signatures=${'a,'.repeat(65)}`],
])('%s: refused, never guessed', (_why, line) => {
  expect(() => readDiskReport([line])).toThrow(Failure);
});
