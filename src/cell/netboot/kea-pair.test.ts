/** Two real Keas in network namespaces of their own, on one segment with a client that sends real packets. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderKeaConfig } from './kea-config.ts';
import { isSpare, pairOf } from './kea-pair.ts';

const run = promisify(execFile);
const ip = (...args: string[]): Promise<unknown> => run('ip', args);
const name = (part: string): string => `mu-kp-${part}${process.pid}`;
let folder = '';

interface Place {
  readonly child: ChildProcess;
  ask(line: string): Promise<unknown>;
}
const places = new Map<string, Place>();

async function start(place: string): Promise<Place> {
  const script = join(import.meta.dirname, 'kea-pair.scenario.ts');
  const child = spawn('ip', ['netns', 'exec', name(place), process.execPath, script, join(folder, place), place], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`process ${place} ended`);
    return JSON.parse(value);
  };
  expect(await next()).toBe('up');
  const made: Place = {
    child,
    ask: (line) => {
      child.stdin.write(`${line}\n`);
      return next();
    },
  };
  places.set(place, made);
  return made;
}

/** A pid file may be old: @throws Error when its number is not this Kea's. */
async function keaOf(place: string): Promise<number> {
  const pid = Number(await readFile(join(folder, place, 'kea-dhcp4.kea-dhcp4.pid'), 'utf8'));
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  if (!words.includes(join(folder, place, 'kea-dhcp4.json'))) throw new Error(`${pid} is no Kea of process ${place}`);
  return pid;
}

/** The whole host: the process and its Kea at once, and its guard cannot do anything any more. */
async function killHost(place: string): Promise<void> {
  process.kill(await keaOf(place), 'SIGKILL');
  places.get(place)?.child.kill('SIGKILL');
  await new Promise((done) => places.get(place)?.child.once('close', done));
}

interface Told {
  readonly type: number;
  readonly address: string;
  readonly next: string;
  readonly from: string;
}

async function client(mac: string, how: string, arch = ''): Promise<Told | null> {
  const script = join(import.meta.dirname, 'dhcp-client.scenario.ts');
  const { stdout } = await run('ip', ['netns', 'exec', name('c'), process.execPath, script, mac, arch, '', how]);
  return JSON.parse(stdout) as Told | null;
}
const lease = (n: number): Promise<Told | null> => client(`52:54:00:00:01:0${n}`, 'request');
const prolong = (n: number, address: string): Promise<Told | null> => client(`52:54:00:00:01:0${n}`, address);

async function until(place: string, state: string): Promise<void> {
  for (const end = Date.now() + 30_000; ;) {
    const now = await places.get(place)?.ask('state');
    if (now === state) return;
    if (Date.now() > end) throw new Error(`process ${place} is ${JSON.stringify(now)}, not ${state}`);
    await sleep(200);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-kea-pair-'));
  for (const part of ['s', '1', '2', 'c']) {
    await ip('netns', 'add', name(part));
    await ip('-n', name(part), 'link', 'set', 'lo', 'up');
  }
  await ip('-n', name('s'), 'link', 'add', 'br0', 'type', 'bridge');
  await ip('-n', name('s'), 'link', 'set', 'br0', 'up');
  for (const [part, last] of [
    ['1', '1'],
    ['2', '2'],
    ['c', '9'],
  ] as const) {
    await ip('-n', name('s'), 'link', 'add', `p${part}`, 'type', 'veth', 'peer', 'name', 'rack0', 'netns', name(part));
    await ip('-n', name('s'), 'link', 'set', `p${part}`, 'master', 'br0', 'up');
    await ip('-n', name(part), 'addr', 'add', `10.67.0.${last}/16`, 'dev', 'rack0');
    await ip('-n', name(part), 'link', 'set', 'rack0', 'up');
  }
  await ip('-n', name('c'), 'route', 'add', '255.255.255.255/32', 'dev', 'rack0');
  await Promise.all([start('1'), start('2')]);
  await until('1', 'hot-standby');
  await until('2', 'hot-standby');
}, 60_000);

afterAll(async () => {
  for (const [place, { child }] of places) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await keaOf(place)
      .then(
        (pid) => process.kill(pid, 'SIGKILL'),
        () => undefined,
      )
      .catch(() => undefined);
  }
  for (const part of ['s', '1', '2', 'c']) await ip('netns', 'del', name(part)).catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

test('two Keas: one lease each whoever dies, prolonged by the other, and no address twice', async () => {
  // One of them answers, and both know the leases.
  const first = await Promise.all([lease(1), lease(2)]);
  expect(first.map((one) => [one?.type, one?.from])).toEqual([
    [5, '10.67.0.1'],
    [5, '10.67.0.1'],
  ]);
  const addresses = first.map((one) => one?.address ?? '');
  expect(await places.get('2')?.ask('leases')).toEqual(addresses.toSorted());

  // A reserved address is the same at both.
  const reserved = { mac: '52:54:00:00:02:01', address: '10.67.1.6' };
  for (const place of ['1', '2']) {
    expect(await places.get(place)?.ask(`reserve ${reserved.mac} ${reserved.address}`)).toBe('applied');
    await until(place, 'hot-standby');
  }
  expect(await client(reserved.mac, 'request')).toMatchObject({ type: 5, address: reserved.address, from: '10.67.0.1' });

  // The first host dies: the second prolongs what the first gave, gives the reserved address, and no address of another.
  await killHost('1');
  await until('2', 'partner-down');
  expect(await prolong(1, addresses[0] ?? '')).toMatchObject({ type: 5, address: addresses[0], from: '10.67.0.2' });
  expect(await client(reserved.mac, 'request')).toMatchObject({ type: 5, address: reserved.address, from: '10.67.0.2' });
  const third = await lease(3);
  expect(third).toMatchObject({ type: 5, from: '10.67.0.2' });
  expect(addresses).not.toContain(third?.address);
  expect(await client('52:54:00:00:03:01', '', '0')).toMatchObject({ next: '10.67.0.2' });
  addresses.push(third?.address ?? '');

  // It comes back, learns what happened meanwhile, and serves alone when the second one dies.
  await start('1');
  await places.get('1')?.ask(`reserve ${reserved.mac} ${reserved.address}`);
  await until('1', 'hot-standby');
  await until('2', 'hot-standby');
  await killHost('2');
  await until('1', 'partner-down');
  expect(await prolong(3, addresses[2] ?? '')).toMatchObject({ type: 5, address: addresses[2], from: '10.67.0.1' });
  const fourth = await lease(4);
  expect(fourth).toMatchObject({ type: 5, from: '10.67.0.1' });
  expect(addresses).not.toContain(fourth?.address);
  addresses.push(fourth?.address ?? '');
  expect(await places.get('1')?.ask('leases')).toEqual([...addresses, reserved.address].toSorted());

  // Only the process of the first dies; its Kea lives on, and sends firmware to the other process, which is back.
  await start('2');
  await until('2', 'hot-standby');
  expect(await client('52:54:00:00:03:02', '', '0')).toMatchObject({ next: '10.67.0.1' });
  places.get('1')?.child.kill('SIGKILL');
  await sleep(500);
  const after: (Told | null)[] = [];
  for (let n = 3; n < 6; n += 1) after.push(await client(`52:54:00:00:03:0${n}`, '', '0'));
  expect(after.map((one) => one?.next)).toEqual(['10.67.0.2', '10.67.0.2', '10.67.0.2']);
  process.kill(await keaOf('1'), 0);
}, 120_000);

test('nobody commands Kea without the certificate', async () => {
  const command = JSON.stringify({ command: 'list-commands' });
  const curl = (...more: string[]) =>
    run('ip', [
      'netns',
      'exec',
      name('c'),
      'curl',
      '-sk',
      '-m',
      '5',
      '-X',
      'POST',
      '-H',
      'Content-Type: application/json',
      '-d',
      command,
      ...more,
      'https://10.67.0.2:5247/',
    ]);
  await expect(curl()).rejects.toMatchObject({ code: expect.any(Number) });
  const files = ['--cert', join(folder, '2/pair.crt'), '--key', join(folder, '2/pair.key')];
  expect((await curl(...files)).stdout).toContain('lease4-get');
});

test('the pair follows from the processes that serve DHCP, and one alone has no hook', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id, n) => ({ id, address: `10.0.0.${n + 1}`, silent: 0 }));
  expect(pairOf([], 'a')).toBeUndefined();
  expect(pairOf([a!], 'a')).toBeUndefined();
  expect(pairOf([a!, b!, c!], 'b')).toEqual(pairOf([a!, b!], 'a'));
  expect(pairOf([a!, b!, c!], 'c')).toBe('idle');
  // One that was restarted keeps its place; one that is silent for long gives it up to a third who is there, and to nobody else.
  const [away, gone] = [60, 121].map((silent) => ({ ...a!, silent }));
  expect(pairOf([away!, b!, c!], 'c')).toBe('idle');
  for (const own of ['b', 'c']) expect(pairOf([gone!, b!, c!], own)).toEqual(pairOf([b!, c!], 'b'));
  expect(pairOf([gone!, b!, c!], 'a')).toBe('idle');
  expect([isSpare([a!, b!, c!], 'a'), isSpare([gone!, b!, c!], 'b'), isSpare([a!, b!], 'a')]).toEqual([true, false, false]);
  expect(pairOf([gone!, b!], 'b')).toEqual(pairOf([a!, b!], 'b'));
  expect(pairOf([gone!, { ...b!, silent: 500 }, c!], 'c')).toEqual(pairOf([a!, c!], 'c'));
  const settings = {
    service: { address: '10.0.0.1', port: 5240, loaders: [] },
    controlSocket: '/s',
    leaseFile: '/l',
    logFile: '/o',
    hooksFolder: '/h',
    leaseTime: 600,
    interfaces: [],
  };
  expect(renderKeaConfig({ vlans: [] }, settings).text).not.toContain('libdhcp_ha');
  const peers = pairOf([a!, b!], 'b');
  if (peers === undefined || peers === 'idle') throw new Error('two are a pair');
  const { text } = renderKeaConfig({ vlans: [] }, { ...settings, pair: { own: 'b', peers, certificateFile: '/c', keyFile: '/k' } });
  expect(text.indexOf('libdhcp_lease_cmds')).toBeLessThan(text.indexOf('libdhcp_ha'));
  expect(JSON.parse(text)).toMatchObject({ Dhcp4: { 'multi-threading': { 'enable-multi-threading': true } } });
});
