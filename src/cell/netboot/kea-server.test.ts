import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ip = (...args: string[]): Promise<unknown> => run('ip', args);
const rack = `mu-kea-r${process.pid}`;
const client = `mu-kea-c${process.pid}`;
let folder = '';
let seen: Record<string, unknown> = {};

const scenario = (mode: string) =>
  run('ip', ['netns', 'exec', rack, process.execPath, join(import.meta.dirname, 'kea-server.scenario.ts'), folder, client, mode], {
    timeout: 90_000,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-kea-'));
  for (const name of [rack, client]) {
    await ip('netns', 'add', name);
    await ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  await ip('-n', rack, 'link', 'add', 'rack0', 'type', 'veth', 'peer', 'name', 'port0', 'netns', client);
  await ip('-n', rack, 'addr', 'add', '10.66.0.1/16', 'dev', 'rack0');
  await ip('-n', rack, 'link', 'set', 'rack0', 'up');
  await ip('-n', client, 'link', 'set', 'port0', 'up');
  await ip('-n', client, 'addr', 'add', '10.66.0.2/16', 'dev', 'port0');
  await ip('-n', client, 'route', 'add', '255.255.255.255/32', 'dev', 'port0');
  await expect(scenario('crash')).rejects.toMatchObject({ signal: 'SIGKILL' });
  seen = JSON.parse((await scenario('run')).stdout) as Record<string, unknown>;
}, 150_000);

afterAll(async () => {
  for (const name of [rack, client]) await ip('netns', 'del', name).catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

test('each firmware gets its loader, iPXE the start script, others an address only', () => {
  const offer = { type: 2, next: '10.66.0.1' };
  expect(seen['bios']).toMatchObject({ ...offer, file: 'undionly.kpxe' });
  expect(seen['uefi']).toMatchObject({ ...offer, file: 'snponly.efi' });
  expect(seen['uefi http']).toMatchObject({ type: 2, file: 'http://10.66.0.1:5240/boot/loader/snponly.efi', vendor: 'HTTPClient' });
  expect(seen['ipxe']).toMatchObject({ ...offer, file: 'http://10.66.0.1:5240/boot/start.ipxe', ipxe: 'b00101' });
  expect(seen['plain']).toMatchObject({ type: 2, file: '' });
});

test('a power-on can wait until the configuration that names the machine is applied', () => {
  expect(seen['applied ms']).toBeLessThan(5000);
  expect(seen['reserved']).toMatchObject({ type: 5, address: '10.66.1.6', hostname: 'node6' });
  expect(seen['leases']).toContainEqual({ address: '10.66.1.6', mac: '52:54:00:00:00:06', subnetId: 1 });
  expect(seen['2000 applied ms']).toBeLessThan(10_000);
});

test('a snippet that Kea refuses is left out and told; new machines get their addresses', () => {
  expect(seen['wrong snippet']).toEqual([
    expect.stringMatching(/^Kea refuses a DHCP snippet, so all snippets are left out: .*no-such-option/),
  ]);
  expect(seen['started with a wrong snippet']).toEqual([expect.stringMatching(/^Kea refuses a DHCP snippet/)]);
  expect(seen['reserved beside a wrong snippet']).toMatchObject({ address: '10.66.1.7' });
});

test('snippets reach a host, a pool and everything, the nearest first; Kea judges one without taking it', () => {
  expect(seen['of a host']).toMatchObject({ address: '10.66.1.6', tftp: 'host' });
  expect(seen['of a pool']).toMatchObject({ tftp: 'pool' });
  expect(seen['of everything']).toMatchObject({ address: '10.66.1.7', tftp: 'every' });
  // JSON knows no undefined.
  expect(Object.keys(seen)).not.toContain('a good snippet');
  expect(seen['bad snippets']).toEqual([expect.stringContaining('no-such-option'), expect.stringContaining('nine')]);
});

test('a configuration changed by somebody else is seen and put right', () => {
  expect(seen['differences']).toEqual([]);
  expect(seen['somebody else']).toEqual([
    expect.stringMatching(/^Kea runs the configuration of somebody else, derived is [0-9a-f]{64}: it is put right$/),
  ]);
  expect(seen['put right']).toEqual([]);
});

test('Kea outlives a killed cell, is replaced by the next one, restarted when it dies, and gone after close', () => {
  expect(seen['leftover']).toBe(1);
  expect(seen['after adopting']).toBe(1);
  expect(seen['restarted']).toBe(true);
  expect(seen['reserved after restart']).toMatchObject({ address: '10.66.1.7' });
  expect(seen['death told']).toBe(true);
  expect(seen['left']).toBe(0);
});

test('router advertisements arrive, and radvd is gone after close', () => {
  expect(seen['advertisements']).toBe(true);
  expect(seen['radvd left']).toBe(0);
});

test('a data folder with a path too long for a socket serves as well', () => {
  expect(seen['with a long path']).toEqual([]);
});

test('a missing package is named', () => {
  expect(seen['missing package']).toBe(
    '/usr/sbin/kea-dhcp4-not-there is not there: it comes with the Debian package kea-dhcp4-server. Run: apt-get install kea-dhcp4-server',
  );
});
