import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ranked, type Offered } from './spread.ts';

/** Cells with free machines in zones, and what the caller holds there: allocating takes the first of `ranked` again and again. */
interface Place {
  held: number;
  free: number;
}

function offersOf(fleet: ReadonlyMap<string, ReadonlyMap<string, Place>>): ReadonlyMap<string, Offered> {
  return new Map(
    [...fleet].map(([cell, zones]) => [
      cell,
      { cost: 1, groups: [...zones].map(([name, { held, free }]) => ({ name, held, cost: free > 0 ? 1 : null })) },
    ]),
  );
}

test('over equal zones, whatever cells they lie in, the counts differ by one at most', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 40 }),
    (zones, cells, calls) => {
      const names = Array.from({ length: zones }, (_, n) => `z${n}`);
      // Each zone is spread over all cells, so what is held in one must be summed.
      const fleet = new Map(
        Array.from({ length: cells }, (_, at) => [`c${at}`, new Map(names.map((name) => [name, { held: 0, free: 40 }]))]),
      );
      for (let call = 0; call < calls; call += 1) {
        const [best] = ranked(offersOf(fleet), 'zone');
        const place = fleet.get(best!.cell)!.get(best!.group!)!;
        place.held += 1;
        place.free -= 1;
      }
      const counts = names.map((name) => [...fleet.values()].reduce((sum, one) => sum + one.get(name)!.held, 0));
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(calls);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test('over cells: where the caller holds the fewest, whatever it costs; a cell without a match is none', () => {
  const offers = new Map<string, Offered>([
    ['a', { cost: 1, groups: [{ name: '', held: 2, cost: 1 }] }],
    ['b', { cost: 9, groups: [{ name: '', held: 1, cost: 9 }] }],
    ['c', { cost: null, groups: [{ name: '', held: 0, cost: null }] }],
    ['d', { cost: 8, groups: [{ name: '', held: 1, cost: 8 }] }],
  ]);
  expect(ranked(offers, 'cell').map(({ cell, group }) => [cell, group])).toEqual([
    ['d', undefined],
    ['b', undefined],
    ['a', undefined],
  ]);
  expect(ranked(offers, undefined).map(({ cell }) => cell)).toEqual(['a', 'd', 'b']);
});

test('a zone that fills up is left for the next, and one held elsewhere counts', () => {
  const fleet = new Map([
    [
      'a',
      new Map([
        ['z0', { held: 0, free: 1 }],
        ['z1', { held: 0, free: 5 }],
      ]),
    ],
    ['b', new Map([['z0', { held: 3, free: 0 }]])],
  ]);
  expect(ranked(offersOf(fleet), 'zone').map(({ cell, group }) => `${cell}/${group ?? ''}`)).toEqual(['a/z1', 'a/z0']);
});
