/** Handler, path, method, operation and status of what MAAS has (maas-api.md §1.7): clients find operations by these names. */
import { machineBulk } from './resources/machine-bulk.ts';
import { expect, test } from 'vitest';
import { maasOperations } from '../../test/maas-operations.ts';
import { describe as describeApi } from './describe.ts';
import type { Route } from './route.ts';
import { aliases, routes } from './routes.ts';

/** Operations of ours on handlers of MAAS, and handlers of ours on the API. */
const ours = new Set([
  'Machines.explain',
  'Machines.ask',
  'Machines.claim',
  'Machines.confirm',
  'Machines.free_claim',
  'Machines.mark_delivered',
  'Machines.settle_key',
  'Machines.summary',
  ...Object.keys(machineBulk),
  'Events.stream',
  'Files.get',
  'Files.get_by_key',
  'User.resources',
  'User.transfer_resources',
]);
const ourHandlers = new Set([
  'Describe',
  'OpenApi',
  'Operations',
  'Operation',
  'Findings',
  'Finding',
  'Cells',
  'Cell',
  'HubKey',
  'GlobalObjects',
  'Front',
  'Fronts',
  'DomainNames',
  'DomainName',
  ...Object.keys(aliases),
]);

const api: [string, Route][] = Object.entries(routes).filter(([, route]) => route.base === 'api');
const expected = maasOperations();

test.each(api.filter(([id, route]) => !ours.has(id) && !ourHandlers.has(route.handler)))('%s is as MAAS has it', (id, route) => {
  expect(expected.get(id)).toEqual({ path: route.path, method: route.method, op: route.op, status: route.status });
});

test.each([...ours])('%s is an operation of ours that MAAS does not have', (id) => {
  expect(expected.has(id)).toBe(false);
  expect(Object.keys(routes)).toContain(id);
});

test('an alias is the same resource under another path', () => {
  for (const [alias, name] of Object.entries(aliases)) {
    const shape = (handler: string) =>
      api
        .filter(([, route]) => route.handler === handler)
        .map(([, { method, op, params, policy, reach }]) => ({ method, op, params: Object.keys(params), policy, reach }));
    const first = shape(name);
    expect(first.length).toBeGreaterThan(0);
    expect(shape(alias)).toEqual(first);
  }
});

test('the describe document shows each resource once', () => {
  const shown = describeApi(routes).resources.map((one) => one.name.replace(/Handler$/, ''));
  expect(shown).toContain('Vlan');
  expect(shown.filter((name) => Object.hasOwn(aliases, name))).toEqual([]);
});

// `perm:internal` ones and groups (404 until roles on pools exist) are not in the list above.
test('every operation that MAAS has is there', () => {
  expect([...expected.keys()].filter((id) => !Object.hasOwn(routes, id))).toEqual([]);
});
