import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ip = (...args: string[]): Promise<unknown> => run('ip', args);
const [rack, host] = [`mu-scan-r${process.pid}`, `mu-scan-h${process.pid}`];

beforeAll(async () => {
  for (const name of [rack, host]) await ip('netns', 'add', name);
  await ip('-n', rack, 'link', 'add', 'rack0', 'type', 'veth', 'peer', 'name', 'port0', 'netns', host);
  await ip('-n', host, 'link', 'set', 'port0', 'address', '52:54:00:5c:00:01');
  for (const [name, at, address] of [
    [rack, 'rack0', '10.68.0.1/24'],
    [host, 'port0', '10.68.0.9/24'],
    [host, 'port0', '10.68.0.12/24'],
  ] as const)
    await ip('-n', name, 'addr', 'add', address, 'dev', at);
  await ip('-n', rack, 'link', 'set', 'rack0', 'up');
  await ip('-n', host, 'link', 'set', 'port0', 'up');
});
afterAll(async () => {
  for (const name of [rack, host]) await ip('netns', 'del', name);
});

test('hosts that answer are found, within the range only', async () => {
  const script = join(import.meta.dirname, 'scan.scenario.ts');
  const scan = (first: string, last: string) =>
    run('ip', ['netns', 'exec', rack, process.execPath, script, 'rack0', '10.68.0.1/24', first, last]);
  const found = JSON.parse((await scan('10.68.0.2', '10.68.0.11')).stdout) as { ip: string }[];
  expect(found.filter((one) => !one.ip.includes(':'))).toEqual([{ ip: '10.68.0.9', mac: '52:54:00:5c:00:01', interface: 'rack0' }]);
});
