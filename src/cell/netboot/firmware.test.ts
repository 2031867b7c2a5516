/** Real firmware against the whole room: SeaBIOS and OVMF in QEMU, Kea, TFTP, HTTP. A Ready machine ends by powering itself off. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const rack = `mu-fw-${process.pid}`;
const firmware = '/usr/share/OVMF/OVMF_CODE_4M.fd';
let folder = '';
let server: ChildProcess;
let told: Record<string, unknown>[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-fw-'));
  const ip = (...args: string[]): Promise<unknown> => run('ip', args);
  await ip('netns', 'add', rack);
  await ip('-n', rack, 'link', 'set', 'lo', 'up');
  await ip('-n', rack, 'link', 'add', 'rack0', 'type', 'bridge');
  await ip('-n', rack, 'addr', 'add', '10.67.0.1/16', 'dev', 'rack0');
  await ip('-n', rack, 'link', 'set', 'rack0', 'up');
  await ip('netns', 'exec', rack, 'ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
  await ip('-n', rack, 'link', 'set', 'tap0', 'master', 'rack0', 'up');
  server = spawn('ip', ['netns', 'exec', rack, process.execPath, join(import.meta.dirname, 'firmware.scenario.ts'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the room did not start (${code})`)));
    createInterface({ input: server.stdout! }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      told.push(entry);
      if (entry['ready']) resolve();
    });
  });
}, 40_000);

afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.stdin!.end();
  await ended;
  await run('ip', ['netns', 'del', rack]);
  await rm(folder, { recursive: true, force: true });
}, 20_000);

/** Runs one machine until it powers itself off; what the boot log says meanwhile. */
async function machine(mac: string, ...more: string[]): Promise<readonly Record<string, unknown>[]> {
  told = [];
  const common = [
    '-nographic',
    '-nodefaults',
    '-M',
    'q35',
    '-accel',
    'tcg',
    '-m',
    '256',
    '-vga',
    'none',
    '-object',
    'rng-random,id=r0,filename=/dev/urandom',
    '-device',
    'virtio-rng-pci,rng=r0',
  ];
  const net = ['-netdev', 'tap,id=n0,ifname=tap0,script=no,downscript=no', '-device'];
  const uefi = more.length > 0;
  await run(
    'ip',
    [
      'netns',
      'exec',
      rack,
      'qemu-system-x86_64',
      ...common,
      ...net,
      `virtio-net-pci,netdev=n0,mac=${mac},bootindex=0${uefi ? ',romfile=' : ''}`,
      ...more,
    ],
    { timeout: 90_000 },
  );
  return told;
}
const said = (log: readonly Record<string, unknown>[]) =>
  log.filter((entry) => 'protocol' in entry).map(({ protocol, path, answer }) => `${String(protocol)} ${String(path)} ${String(answer)}`);

test('SeaBIOS: DHCP, the start script, its own answer, off by ACPI', async () => {
  const log = await machine('52:54:00:67:00:01');
  expect(said(log)).toEqual(['http /boot/start.ipxe file', 'http /boot/script.ipxe off', 'http /boot/loader/off.lkrn file']);
  expect(log.find(({ path }) => path === '/boot/script.ipxe')).toMatchObject({ mac: '52:54:00:67:00:01', because: 'nothing to run' });
}, 100_000);

test('OVMF’s own PXE: a size probe and the loader by TFTP, then the same over HTTP', async () => {
  const variables = join(folder, 'vars.fd');
  await copyFile('/usr/share/OVMF/OVMF_VARS_4M.fd', variables);
  const log = await machine(
    '52:54:00:67:00:02',
    '-drive',
    `if=pflash,format=raw,readonly=on,file=${firmware}`,
    '-drive',
    `if=pflash,format=raw,file=${variables}`,
  );
  expect(said(log)).toEqual([
    'tftp snponly.efi aborted',
    'tftp snponly.efi sent',
    'http /boot/start.ipxe file',
    'http /boot/script.ipxe off',
    'http /boot/loader/off.efi file',
  ]);
}, 100_000);
