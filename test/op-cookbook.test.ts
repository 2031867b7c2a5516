/** docs/op-cookbook.md: every call in it is one that the API takes, and its signing works as it stands. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parameterDecoder, unknownKeys } from '../src/contract/parameter.ts';
import type { Route } from '../src/contract/route.ts';
import { routes } from '../src/contract/routes.ts';
import { chooseOp, matcher, pick } from '../src/http/match.ts';
import { parseUrlencoded } from '../src/http/form.ts';
import { openWorld } from './walk/world.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/op-cookbook.md'), 'utf8');
const shell = [...page.matchAll(/```sh\n([\s\S]*?)```/g)]
  .map(([, block = '']) => block)
  .join('\n')
  .replaceAll('\\\n', ' ');
const match = matcher(routes);
const table: Readonly<Record<string, Route>> = routes;

interface Call {
  readonly line: string;
  readonly method: string;
  readonly path: string;
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** Values that only the reader has: an id, a key, a number. */
const filled = (text: string): string =>
  text
    .replace(/\$\(.*\)/g, 'eA==')
    .replace(/\$(ID\d?)/g, '7a34567')
    .replace(/\$[A-Z]+\d?/g, '1700000000001')
    .replaceAll('…', 'x');

function callOf(line: string): Call {
  const words = [...line.replace(/ #.*$/, '').matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((word) => word[1] ?? word[2] ?? word[3] ?? '');
  const [, method = '', target = ''] = words;
  const [path = '', query = ''] = target.split('?');
  const sent = words.flatMap((word, at) => {
    const value = words[at + 1] ?? '';
    if (['-d', '--data-urlencode', '-F'].includes(word)) return [value];
    return [];
  });
  const pairs = sent.map((pair) =>
    pair
      .split(/=(.*)/s)
      .slice(0, 2)
      .map((part) => encodeURIComponent(filled(part)))
      .join('='),
  );
  const fields = parseUrlencoded([filled(query), ...pairs].filter((part) => part !== '').join('&'), 'The line');
  const json = words.find((word) => word.startsWith('{'));
  if (json !== undefined) for (const [name, value] of Object.entries(JSON.parse(json) as object)) fields.set(name, [String(value ?? '')]);
  return { line, method, path: filled(path), fields };
}

const calls = shell
  .split('\n')
  .filter((line) => line.startsWith('maas '))
  .map(callOf);

test('there are calls to judge', () => expect(calls.length).toBeGreaterThan(20));

test.each(calls)('$line', ({ method, path, fields }) => {
  const found = match(`/MAAS/api/2.0/${path}`);
  const op = chooseOp(fields.get('op')?.at(-1), undefined, found?.op);
  const entry = found && pick(found, method, op);
  expect(entry?.id, `${method} ${path} op=${op}`).toBeDefined();
  const route = table[entry!.id]!;
  const given = new Map([...fields].filter(([name]) => name !== 'op'));
  if (!route.free) expect(unknownKeys(route, given)).toEqual([]);
  expect(parameterDecoder(route)(given).errors).toBeUndefined();
});

test('its shell function signs', async () => {
  await using world = await openWorld();
  const listener = await world.server.listen({ host: '127.0.0.1', port: 0 });
  const signing = shell.slice(shell.indexOf('maas() {'), shell.indexOf('\n}', shell.indexOf('maas() {')) + 2);
  const script = `export URL='${listener.url}/MAAS/api/2.0'; export KEY='${world.adminKey}'\n${signing}\nmaas GET 'users/?op=whoami'`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { timeout: 20_000 });
  expect(JSON.parse(stdout)).toMatchObject({ username: 'admin', is_superuser: true });
});
