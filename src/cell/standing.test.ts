import { expect, test } from 'vitest';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import { guardStanding, refusalOf } from './standing.ts';

const table: [string, Route][] = Object.entries(routes);
const refused = (state: 'in' | 'drained' | 'out' | 'retired') =>
  table.filter(([, route]) => refusalOf(route, state, 'c1') !== undefined).map(([id]) => id);

test('in and out refuse nothing; drained refuses what would bring something new, and nothing else', () => {
  expect([...refused('in'), ...refused('out')]).toEqual([]);
  expect(refused('drained')).toEqual(['Machines.create', 'Machines.allocate', 'Machines.claim', 'Machines.add_chassis']);
});

test('retired changes nothing for people, and everything goes on for machines', () => {
  const ids = refused('retired');
  const machines: readonly string[] = ['metadata', 'boot', 'replica', 'program', 'accounts'];
  const wrong = table.filter(([id, route]) => ids.includes(id) && (route.method === 'GET' || machines.includes(route.base)));
  expect(wrong.map(([id]) => id)).toEqual([]);
  const some = ['Machine.deploy', 'Machine.release', 'Machine.delete', 'Machines.release', 'Subnet.update'];
  expect(some.filter((id) => !ids.includes(id))).toEqual([]);
});

test('handlers stand behind it, at every call anew', () => {
  let state: 'in' | 'drained' = 'in';
  const handlers = guardStanding({ 'Machines.allocate': () => 'taken', 'Machines.confirm': () => 'kept' }, 'c1', () => state);
  expect(handlers['Machines.allocate']()).toBe('taken');
  state = 'drained';
  expect(() => handlers['Machines.allocate']()).toThrow('Cell c1 is drained');
  expect(handlers['Machines.confirm']()).toBe('kept');
});

test('a drained cell offers nothing, and says what a key stands for', async () => {
  const settled = { cell: 1, claim: 'c', system_id: 'abc', request: 'r' };
  const offer = { best: { system_id: 'abc', cost: 1 }, ready: 1, matching: 1, ruled_out: {}, settled };
  const groups = [{ name: 'default', held: 0, cost: 1 }];
  let state: 'in' | 'drained' = 'in';
  const handlers = guardStanding({ 'Machines.ask': () => Promise.resolve({ ...offer, groups }) }, 'c1', () => state);
  expect(await handlers['Machines.ask']()).toEqual({ ...offer, groups });
  state = 'drained';
  expect(await handlers['Machines.ask']()).toEqual({ ...offer, best: null, drained: true });
});
