import fc from 'fast-check';
import { expect, test } from 'vitest';
import { path, readMachineSearch } from './path.ts';

test('every link', () => {
  expect({
    cells: path.cells(),
    machines: path.machines(),
    some: path.machines({ cell: 'c1', status: 'ready,new' }),
    machine: path.machine('43sx7ab'),
    findings: path.findings(),
  }).toEqual({
    cells: { to: '/' },
    machines: { to: '/machines', search: {} },
    some: { to: '/machines', search: { cell: 'c1', status: 'ready,new' } },
    machine: { to: '/machines/$systemId', params: { systemId: '43sx7ab' } },
    findings: { to: '/findings' },
  });
});

test('a search is read whatever is in it, and only texts come out', () => {
  expect(readMachineSearch({ q: 12, status: 'ready', cell: '', sort: null, other: 'x' })).toEqual({ q: '12', status: 'ready' });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('q', 'status', 'cell', 'sort', '__proto__', 'x'), fc.jsonValue()), (given) => {
      const found = readMachineSearch(given);
      for (const [key, value] of Object.entries(found)) {
        expect(['q', 'status', 'cell', 'sort']).toContain(key);
        expect(typeof value === 'string' && value !== '').toBe(true);
      }
      expect(readMachineSearch({ ...found })).toEqual(found);
    }),
  );
});
