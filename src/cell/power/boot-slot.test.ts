import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import { bootSlots, longestBootMs } from './boot-slot.ts';

test('a slot is held for the longest boot, no longer', () => {
  expect(bootSlots([0, 10], 2, 100)).toEqual({ free: 0, nextAt: longestBootMs });
  expect(bootSlots([0, 10], 2, longestBootMs)).toEqual({ free: 1, nextAt: undefined });
  expect(bootSlots([], 0, 0)).toEqual({ free: 1, nextAt: undefined });
  expect(bootSlots([0, 10, 20], 2, 100)).toEqual({ free: 0, nextAt: 10 + longestBootMs });
});

test('with no slot free there is a time at which one is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400_000)), fc.integer({ min: 1, max: 9 }), (startedAt, limit) => {
      const now = 400_000;
      const slots = bootSlots(startedAt, limit, now);
      if (slots.free > 0) {
        assert(slots.nextAt === undefined);
        return;
      }
      expect(slots.nextAt).toBeGreaterThan(now);
      expect(bootSlots(startedAt, limit, slots.nextAt ?? 0).free).toBeGreaterThan(0);
    }),
  );
});
