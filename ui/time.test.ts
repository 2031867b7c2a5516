import { expect, test } from 'vitest';
import { counted, diskText, memoryText } from './amount.ts';
import { exactly, instantOfMaas, lasting } from './time.ts';

test('lengths of time', () => {
  expect([-5, 999, 61_000, 3_600_000, 90_000_000].map(lasting)).toEqual(['0 s', '0 s', '1 min', '1 h', '1 d']);
  expect([-1, 420, 12_400, 59_700, 187_000, 7_387_000].map(exactly)).toEqual(['0 s', '0.4 s', '12 s', '1:00 min', '3:07 min', '2:03:07 h']);
});

test("MAAS's timestamps are UTC", () => {
  expect(instantOfMaas('Fri, 07 Dec. 2018 20:11:08')).toBe('2018-12-07T20:11:08.000Z');
  expect(instantOfMaas('soon')).toBe('soon');
});

test('amounts', () => {
  expect([0, 512, 16_384, 1_572_864].map(memoryText)).toEqual(['—', '512 MiB', '16 GiB', '1.5 TiB']);
  expect([0, 480_103_981_056, 4_000_787_030_016].map(diskText)).toEqual(['—', '480 GB', '4.0 TB']);
  expect([counted(1, 'cell'), counted(1200, 'machine')]).toEqual(['1 cell', '1,200 machines']);
});
