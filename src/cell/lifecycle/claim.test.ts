import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeClaim, type ClaimFacts, type ModelDisk, type SeenDisk } from './claim.ts';

const disk: ModelDisk = { id: 1, name: 'vda', serial: 'S1', wwn: null, size: 10_000_000_000, signatures: [], marker: '' };
const seen: SeenDisk = { name: 'vda', serial: 'S1', wwn: '', size: 10_000_000_000, signatures: [], marker: '' };

function facts(given: Partial<ClaimFacts> = {}): ClaimFacts {
  return {
    systemId: 'aaa3333',
    operationId: 7,
    ticket: { bootId: 'b1', live: true },
    bootId: 'b1',
    overwrite: false,
    resumes: false,
    targets: [disk],
    seen: [seen],
    ...given,
  };
}

test('a blank disk that commissioning saw is granted', () => {
  expect(judgeClaim(facts())).toEqual({ granted: true });
});

test('a dead ticket and a second boot id are refused', () => {
  expect(judgeClaim(facts({ ticket: { bootId: 'b1', live: false } }))).toMatchObject({ granted: false, reason: 'ticket' });
  expect(judgeClaim(facts({ bootId: 'b2' }))).toMatchObject({ granted: false, reason: 'boot' });
});

test('data that nobody accounts for is refused, unless overwriting is allowed or the same operation goes on', () => {
  const foreign = { seen: [{ ...seen, signatures: ['ext4'] }] };
  expect(judgeClaim(facts(foreign))).toMatchObject({ granted: false, reason: 'foreign_data' });
  expect(judgeClaim(facts({ ...foreign, overwrite: true }))).toEqual({ granted: true });
  expect(judgeClaim(facts({ ...foreign, resumes: true }))).toEqual({ granted: true });
  expect(judgeClaim(facts({ ...foreign, targets: [{ ...disk, signatures: ['ext4'] }] }))).toEqual({ granted: true });
});

test('deployment markers: our own last deploy is ours, another machine is not', () => {
  const marker = 'muster aaa3333 5 deploy done abc';
  expect(judgeClaim(facts({ seen: [{ ...seen, marker, signatures: ['gpt'] }], targets: [{ ...disk, marker }] }))).toEqual({
    granted: true,
  });
  expect(judgeClaim(facts({ seen: [{ ...seen, marker: 'muster bbb3333 5 deploy done abc' }] }))).toMatchObject({
    granted: false,
    reason: 'foreign_data',
  });
  expect(judgeClaim(facts({ seen: [{ ...seen, marker: 'muster aaa3333 7 deploy started abc' }] }))).toEqual({ granted: true });
});

test('a disk that is gone, or that cannot be told apart, is refused', () => {
  expect(judgeClaim(facts({ seen: [] }))).toMatchObject({ reason: 'missing_disk' });
  expect(judgeClaim(facts({ seen: [seen, { ...seen, name: 'vdb' }] }))).toMatchObject({ reason: 'missing_disk' });
  expect(judgeClaim(facts({ targets: [] }))).toMatchObject({ reason: 'missing_disk' });
});

test('every planned disk is a disk of its own, and each one is looked at', () => {
  const second: ModelDisk = { ...disk, id: 2, name: 'vdb' };
  expect(judgeClaim(facts({ targets: [disk, second] }))).toMatchObject({ granted: false, reason: 'missing_disk' });
  const other: SeenDisk = { ...seen, name: 'vdb', serial: 'S2' };
  const targets = [disk, { ...second, serial: 'S2' }];
  expect(judgeClaim(facts({ targets, seen: [seen, other] }))).toEqual({ granted: true });
  expect(judgeClaim(facts({ targets, seen: [seen, { ...other, signatures: ['ntfs'] }] }))).toMatchObject({ reason: 'foreign_data' });
});

test('whatever is seen: never granted without a live ticket of this boot', () => {
  const anySeen = fc.array(
    fc.record({
      name: fc.string(),
      serial: fc.constantFrom('S1', 'S2', ''),
      wwn: fc.constantFrom('', 'W'),
      size: fc.constantFrom(10_000_000_000, 5),
      signatures: fc.array(fc.string()),
      marker: fc.string(),
    }),
  );
  fc.assert(
    fc.property(
      anySeen,
      fc.boolean(),
      fc.constantFrom('b1', 'b2', null),
      fc.boolean(),
      fc.boolean(),
      (disks, live, bootId, overwrite, resumes) => {
        const verdict = judgeClaim(facts({ seen: disks, ticket: { bootId, live }, overwrite, resumes }));
        if (verdict.granted) {
          expect(live).toBe(true);
          expect(bootId === null || bootId === 'b1').toBe(true);
          expect(disks.filter((one) => one.serial === 'S1' && one.size === disk.size)).toHaveLength(1);
        }
      },
    ),
  );
});
