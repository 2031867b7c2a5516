import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Check } from 'typebox/value';
import { Inventory } from '../contract/inventory.ts';
import { inventoryOf, machineModel } from './machine-model.ts';
import { createRandom } from './random.ts';

test('the same seed gives the same machine, another seed another one', () => {
  expect(machineModel('a', 7)).toEqual(machineModel('a', 7));
  expect(machineModel('a', 7).uuid).not.toBe(machineModel('b', 7).uuid);
});

test('every inventory is one that a cell accepts', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(100_000), (seed, number) => {
      const model = machineModel(seed, number);
      expect(Check(Inventory, JSON.parse(JSON.stringify(inventoryOf(model))))).toBe(true);
    }),
  );
});

test('no two of 3000 machines share a MAC address, a serial number, a UUID or a disk', () => {
  const models = Array.from({ length: 3000 }, (_, number) => machineModel('rack', number));
  const all = (of: (model: (typeof models)[number]) => readonly string[]) => models.flatMap(of);
  for (const names of [
    all((model) => model.cards.map((card) => card.mac)),
    all((model) => [model.serial]),
    all((model) => [model.uuid]),
    all((model) => model.disks.map((disk) => disk.serial)),
    all((model) => model.disks.map((disk) => disk.wwn)),
  ]) {
    expect(new Set(names).size).toBe(names.length);
  }
});

test('a rack is a mixture', () => {
  const models = Array.from({ length: 100 }, (_, number) => machineModel('rack', number));
  const counted = (of: (model: (typeof models)[number]) => string) => new Set(models.map(of)).size;
  expect(counted((model) => model.firmware)).toBe(2);
  expect(counted((model) => model.vendor)).toBeGreaterThan(2);
  expect(counted((model) => model.product)).toBeGreaterThan(3);
  expect(counted((model) => String(model.disks.length))).toBeGreaterThan(2);
});

test('chance: spread over its range, forks do not disturb each other', () => {
  const random = createRandom('x');
  const drawn = Array.from({ length: 6000 }, () => random.integer(0, 5));
  for (let side = 0; side <= 5; side += 1) expect(drawn.filter((one) => one === side).length).toBeGreaterThan(850);
  const one = createRandom('x');
  one.fork('y').next();
  expect(one.next()).toBe(createRandom('x').next());
});
