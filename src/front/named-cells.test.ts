import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idOf, lastCell, systemIdOf } from '../contract/ids.ts';
import { routes } from '../contract/routes.ts';
import { cellOfFields, cellOfPath, cellsNamed, idLists } from './named-cells.ts';

const cell = fc.integer({ min: 1, max: lastCell });
const row = fc.integer({ min: 12, max: 300_000 });

describe('the cell of a path', () => {
  test('is the one that made the id, whatever else the path has', () => {
    fc.assert(
      fc.property(cell, row, row, (number, one, two) => {
        const id = systemIdOf(number, one);
        fc.pre(id !== undefined);
        expect(cellOfPath(routes['Interface.read'], { system_id: id!, id: String(idOf(number, two)) })).toBe(number);
        expect(cellOfPath(routes['Vlan.read'], { fabric_id: String(idOf(number, two)), vid: '10' })).toBe(number);
      }),
    );
  });

  test.each(['', '5', 'cidr:10.0.0.0/24', '../..', '99999999999999999999', 'aeiouae'])('%s names none', (id) => {
    expect(cellOfPath(routes['Subnet.read'], { id })).toBeUndefined();
  });

  test('every route of reach id has a blank that can name a cell', () => {
    const path = Object.fromEntries(
      ['system_id', 'id', 'fabric_id', 'vlan_id', 'discovery_id', 'name'].map((name) => [name, String(idOf(7, 1))]),
    );
    const nameless = Object.entries(routes).filter(([, route]) => route.reach === 'id' && cellOfPath(route, path) !== 7);
    expect(nameless).toEqual([]);
  });
});

test('free text is never taken for an id', () => {
  expect(cellOfFields({ hostname: [systemIdOf(3, 60)!], description: [String(idOf(3, 1))], serial: ['123456789012'] })).toBeUndefined();
  expect(cellOfFields({ subnet: [String(idOf(3, 1))] })).toBe(3);
  expect(cellOfFields({ source: ['nonsense'], destinations: [systemIdOf(3, 60)!, systemIdOf(4, 60)!] })).toBe(4);
});

test('every bulk route has a list of ids', () => {
  const bulk = Object.entries(routes).filter(([, route]) => route.reach === 'split');
  expect(bulk.length).toBeGreaterThan(0);
  expect(bulk.filter(([, route]) => idLists(route).length === 0)).toEqual([]);
});

test('alternatives join, parameters cut, and what is no id could be anywhere', () => {
  const [one, two] = [systemIdOf(1, 60)!, systemIdOf(2, 60)!];
  const names = ['id', 'system_id', 'hostname'];
  expect(cellsNamed(names, { id: [one, two] })).toEqual(new Set([1, 2]));
  expect(cellsNamed(names, { id: [one, two], system_id: [two] })).toEqual(new Set([2]));
  expect(cellsNamed(names, { hostname: [one] })).toBeUndefined();
  expect(cellsNamed(names, { id: [one, 'whatever'] })).toBeUndefined();
});
