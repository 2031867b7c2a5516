import { expect, test } from 'vitest';
import { describe as describeApi, locate } from './describe.ts';
import { openapi } from './openapi.ts';
import { pathNames } from './route.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';

const description = describeApi(routes);
const handlers = description.resources.flatMap((one) => [one.anon, one.auth]).filter((one) => one !== null);

test('resources and actions are sorted and named as the CLI needs them', () => {
  const names = description.resources.map((one) => one.name);
  expect(names).toEqual(names.toSorted());
  for (const handler of handlers) {
    expect(handler.name).toMatch(/^(Anon)?[A-Z]\w*Handler$/);
    expect(handler.path).toMatch(/^\/MAAS\/api\/2\.0\//);
    expect(handler.params).toEqual(pathNames(handler.path));
    const actions = handler.actions.map((one) => one.name);
    expect(actions).toEqual(actions.toSorted());
    expect(new Set(actions).size).toBe(actions.length);
  }
});

test('an action with parameters says so in its text, or the maas CLI refuses arguments', () => {
  for (const [id, given] of Object.entries(routes)) {
    const route: Route = given;
    const action = description.resources
      .find((one) => one.name === `${route.handler}Handler`)
      ?.auth?.actions.find((one) => one.name === route.action);
    if (action === undefined) continue;
    for (const name of Object.keys(route.params)) expect(`${id}\n${action.doc}`).toContain(`:param ${name}`);
    expect(action.restful).toBe(action.op === null);
    expect(action.op === null || action.op === route.op).toBe(true);
  }
});

test('what anybody may do is under anon; version is there alone', () => {
  const version = description.resources.find((one) => one.name === 'VersionHandler');
  expect([version?.anon?.name, version?.auth]).toEqual(['VersionHandler', null]);
  expect(description.resources.some((one) => one.name === 'DescribeHandler')).toBe(false);
  const zone = description.resources.find((one) => one.name === 'ZoneHandler');
  expect([zone?.anon, zone?.auth?.params]).toEqual([null, ['name']]);
});

test('addresses are the client’s, also behind a cell’s prefix', () => {
  const located = locate(description, 'h', 'https://m:1', '/cell/c1') as {
    handlers: { path: string; uri?: string }[];
    resources: { auth: { uri: string } | null }[];
  };
  expect(located.handlers.length).toBe(handlers.length);
  for (const handler of located.handlers) {
    expect(handler.path).toMatch(/^\/cell\/c1\/MAAS\//);
    expect(handler.uri).toBeUndefined();
  }
  expect(located.resources.find((one) => one.auth !== null)?.auth?.uri).toMatch(/^https:\/\/m:1\/cell\/c1\/MAAS\//);
});

test('openapi has every route once, with its blanks', () => {
  const document = openapi(routes, '1') as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const ids: string[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const operation of Object.values(methods)) {
      ids.push(operation.operationId);
      expect(operation.parameters.filter((one) => one.in === 'path').map((one) => one.name)).toEqual(pathNames(path));
    }
  }
  expect(ids.toSorted()).toEqual(Object.keys(routes).toSorted());
});
