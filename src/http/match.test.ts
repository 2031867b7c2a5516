import { describe, expect, test } from 'vitest';
import { get, post, resource } from '../contract/route.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import { Type } from 'typebox';
import { chooseOp, matcher, pick } from './match.ts';

const plain = { doc: 'x', reply: Type.Unknown(), policy: 'user', reach: 'any' } as const;
const match = matcher({
  ...resource('Things', 'things/', 'x', { read: get(plain), go: post({ ...plain, op: 'go' }) }),
  ...resource('Thing', 'things/{name}/', 'x', { read: get(plain), stop: post({ ...plain, op: 'stop' }) }),
  ...resource('Part', 'things/{name}/part/{id}', 'x', { read: get(plain) }),
  ...resource('Special', 'things/special/', 'x', { read: get(plain) }),
  ...resource('Facts', '{version}/facts/', 'x', { read: get(plain) }, 'metadata'),
} satisfies Record<string, Route>);
const idOf = (path: string, method = 'GET') => {
  const found = match(path);
  return found === undefined ? undefined : pick(found, method, found.op)?.id;
};

describe('paths', () => {
  test.each([
    ['/MAAS/api/2.0/things/', 'Things.read'],
    ['/MAAS/api/2.0/things/a%2Fb/', 'Thing.read'],
    ['/MAAS/api/2.0/things/special/', 'Special.read'],
    ['/MAAS/api/2.0/things/special/part/1', 'Part.read'],
    ['/MAAS/api/2.0/things/a/part/1/', 'Part.read'],
    ['/MAAS/metadata//latest/facts', 'Facts.read'],
    ['/MAAS/api/2.0/', undefined],
    ['/maas/api/2.0/things/', undefined],
    ['things/', undefined],
  ])('%s', (path, id) => {
    expect(idOf(path)).toBe(id);
  });

  test.each(['%2e', '%2e%2e', '.%2E'])('a blank that would lead elsewhere is no path: %s', (name) => {
    expect(match(`/MAAS/api/2.0/things/${name}/`)).toBeUndefined();
  });

  test('blanks are decoded, a missing slash is told', () => {
    expect(match('/MAAS/api/2.0/things/a%2Fb')).toMatchObject({ path: { name: 'a/b' }, slash: 'missing' });
    expect(match('/MAAS/api/2.0/things/a/part/1')).toMatchObject({ path: { name: 'a', id: '1' }, slash: 'right' });
  });
});

describe('op', () => {
  test('as the last segment, where the path has such an operation', () => {
    expect(idOf('/MAAS/api/2.0/things/op-go', 'POST')).toBe('Things.go');
    expect(idOf('/MAAS/api/2.0/things/a/op-stop', 'POST')).toBe('Thing.stop');
    expect(match('/MAAS/api/2.0/things/op-else/')).toMatchObject({ path: { name: 'op-else' }, op: undefined });
    expect(match('/MAAS/api/2.0/things/op-else')).toMatchObject({ path: { name: 'op-else' }, op: undefined });
  });

  test('query before body before path; empty is none', () => {
    expect(chooseOp('a', 'b', 'c')).toBe('a');
    expect(chooseOp('', 'b', 'c')).toBe('b');
    expect(chooseOp('', undefined, 'c')).toBe('c');
    expect(chooseOp('', '', undefined)).toBeUndefined();
  });
});

test('the whole table can be matched, each route at its own path', () => {
  const whole = matcher(routes);
  const bases = {
    api: '/MAAS/api/2.0/',
    accounts: '/MAAS/accounts/',
    metadata: '/MAAS/metadata/',
    boot: '/boot/',
    replica: '/replica/',
    program: '/',
  };
  for (const [id, route] of Object.entries(routes)) {
    const path = bases[route.base] + route.path.replace(/\{\w+\}/g, 'x1');
    const found = whole(path);
    expect(found === undefined ? undefined : pick(found, route.method, route.op ?? undefined)?.id).toBe(id);
  }
});

test('two routes that nobody could tell apart are refused', () => {
  const twice = { ...resource('A', 'a/', 'x', { read: get(plain), again: get(plain) }) };
  expect(() => matcher(twice)).toThrow('same method, path and op');
});
