import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../contract/routes.ts';
import { ApiError, createClient } from '../http/client.ts';
import { addApiCommands, commandRoutes } from './api-commands.ts';
import { bulkText, progressText, watchBulk } from './bulk-report.ts';
import { writeProfiles } from './profile-file.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string;
  readonly body: string;
}

let server: Server;
let folder: string;
let seen: Seen[];
let reply: { status: number; body: unknown };
const file = () => join(folder, 'config/profiles.json');

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muster-cli-'));
  server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, authorization: headers.authorization ?? '', body: await bodyOf(request) });
    const error = reply.status === 404 ? { 'muster-error': 'not_found' } : {};
    response.writeHead(reply.status, { 'content-type': 'application/json', ...error }).end(JSON.stringify(reply.body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeProfiles(file(), { current: 'here', profiles: { here: { url, key: 'a:b:c' } } });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function muster(...words: string[]): Promise<string> {
  let text = '';
  seen = [];
  const program = new Command('muster').exitOverride();
  addApiCommands(program, { profileFile: file(), write: (more) => (text += more) });
  await program.parseAsync(words, { from: 'user' });
  return text;
}

test('profiles are for their owner alone', () => {
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test('every route of the API that a person may call is one command', () => {
  const program = new Command('muster');
  addApiCommands(program, { profileFile: file(), write: () => undefined });
  const made = program.commands.flatMap((one) => one.commands.map((action) => `${one.name()} ${action.name()}`));
  expect(new Set(made).size).toBe(made.length);
  expect(made).toHaveLength([...commandRoutes().values()].flat().length);
  for (const known of [
    'machines read',
    'machine deploy',
    'machine power-on',
    'boot-resources read',
    'sshkeys create',
    'machines list-allocated',
    'ipranges read',
  ])
    expect(made).toContain(known);
  expect(made.length).toBeLessThanOrEqual(Object.keys(routes).length);
});

test('path, parameters, files and cell go where the route says', async () => {
  reply = { status: 200, body: { system_id: '333333a', hostname: 'calm-otter', status_name: 'Deploying' } };
  writeFileSync(join(folder, 'user-data'), 'I2Nsb3Vk\n');
  const text = await muster(
    'machine',
    'deploy',
    '333333a',
    'distro_series=debian/12',
    `user_data@=${join(folder, 'user-data')}`,
    '--cell',
    'c1',
  );
  expect(text).toMatch(/hostname +calm-otter/);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({
    method: 'POST',
    url: '/cell/c1/MAAS/api/2.0/machines/333333a/?op=deploy',
    authorization: expect.stringContaining('oauth_token="b"') as string,
  });
  expect(Object.fromEntries(new URLSearchParams(seen[0]?.body))).toEqual({ distro_series: 'debian/12', user_data: 'I2Nsb3Vk\n' });
});

test('lists are repeated keys; --json is the reply as it came', async () => {
  reply = { status: 200, body: [] };
  expect(JSON.parse(await muster('machines', 'read', 'zone=a', 'zone=b', '--json'))).toEqual([]);
  expect(seen[0]?.url).toBe('/MAAS/api/2.0/machines/?zone=a&zone=b');
});

test('what the API refuses is an error with its code; a wrong word never reaches it', async () => {
  reply = { status: 404, body: 'No Machine matches the given query.' };
  await expect(muster('machine', 'read', '333333z')).rejects.toMatchObject({ status: 404, code: 'not_found' });
  await expect(muster('machine', 'read', '333333z')).rejects.toBeInstanceOf(ApiError);
  await expect(muster('machines', 'read', 'zone')).rejects.toThrow(/key=value, not «zone»/);
  expect(seen).toEqual([]);
  await expect(muster('machines', 'read', '--profile', 'there')).rejects.toThrow('There is no profile there. There are: here.');
});

test('a bulk call reads its machines from a file, tells of each that was not done, and follows the others', async () => {
  const ids = join(folder, 'ids');
  writeFileSync(ids, 'system_id\naaa\nbbb ccc\n');
  const one = (system_id: string, outcome: string, error = '') => ({
    system_id,
    outcome,
    operation: outcome === 'done' ? 7 : null,
    code: null,
    error,
  });
  reply = { status: 200, body: { bulk: 'rack-7', done: 2, refused: 0, unknown: 0, outcomes: [one('aaa', 'done'), one('bbb', 'done')] } };
  expect(await muster('machines', 'bulk-commission', '--from', ids, 'comment=new')).toBe('bulk rack-7: 2 done, 0 refused, 0 unknown\n');
  expect(seen[0]?.url).toBe('/MAAS/api/2.0/machines/?op=bulk_commission');
  expect([...new URLSearchParams(seen[0]?.body)]).toEqual([
    ['comment', 'new'],
    ['machines', 'aaa'],
    ['machines', 'bbb'],
    ['machines', 'ccc'],
  ]);
  reply.body = {
    bulk: 'b',
    done: 0,
    refused: 1,
    unknown: 1,
    outcomes: [one('aaa', 'refused', 'Machine aaa is locked.'), one('bbb', 'unknown', 'No answer.')],
  };
  await expect(muster('machines', 'bulk-release', 'machines=aaa', 'machines=bbb')).rejects.toThrow('2 of 2 machines were not done.');
  writeFileSync(ids, '\n');
  await expect(muster('machines', 'bulk-release', '--from', ids)).rejects.toThrow('names no machine');
});

test('what a bulk call came to, and how far it is, in words', async () => {
  const outcomes = [
    { system_id: 'aaa', outcome: 'refused' as const, operation: null, code: 'wrong_state', error: 'Machine aaa is locked.' },
  ];
  expect(bulkText({ bulk: 'b', done: 0, refused: 1, unknown: 0, outcomes })).toBe(
    'bulk b: 0 done, 1 refused, 0 unknown\naaa  refused: Machine aaa is locked.\n',
  );
  const counts = (live: number) => ({
    operations: 9,
    by_outcome: { done: 6 - live, failed: 3, live },
    by_kind: {},
    waits_for_hands: live > 0 ? 1 : 0,
  });
  expect(progressText(counts(2))).toBe('9 operations: 4 done, 3 failed, 2 under way, 1 of them wait for hands');
  const said: string[] = [];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  reply = { status: 200, body: counts(2) };
  const client = createClient({ url, key: 'a:b:c' });
  const watching = watchBulk(
    client,
    'b',
    (text) => {
      said.push(text);
      reply.body = counts(0);
    },
    5,
  );
  expect(await watching).toBe(3);
  expect(said).toEqual(['9 operations: 4 done, 3 failed, 2 under way, 1 of them wait for hands\n', '9 operations: 6 done, 3 failed\n']);
});

test('a bulk call is not over while a cell that may be at work on it does not answer', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const done = { operations: 2, by_outcome: { done: 2 }, by_kind: {}, waits_for_hands: 0 };
  const said: string[] = [];
  reply = { status: 503, body: 'Not every cell answered.' };
  const tell = (text: string): void => {
    said.push(text);
    reply = { status: 200, body: done };
  };
  expect(await watchBulk(createClient({ url, key: 'a:b:c' }), 'b', tell, 5)).toBe(0);
  expect(said).toEqual(['not every cell answers; asking again\n', '2 operations: 2 done\n']);
});
