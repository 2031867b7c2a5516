// The ipmi driver against openipmi's ipmi_sim: Debian packages `ipmitool` and `openipmi`.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PlainChassis } from '../src/sim/chassis.ts';
import { IpmiBmc } from '../src/sim/ipmi-bmc.ts';
import { callBmc } from '../src/cell/power/execute.ts';
import type { PowerCall } from '../src/cell/power/execute.ts';
import type { PowerParameters } from '../src/contract/power-types.ts';
import { checkPowerParameters } from '../src/contract/power-parameters.ts';

const chassis = new PlainChassis();
const folder = mkdtempSync(join(tmpdir(), 'muster-ipmi-'));
let bmc: IpmiBmc;
let port = 0;

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  const { port: free } = socket.address();
  await new Promise<void>((done) => socket.close(done));
  return free;
}

beforeAll(async () => {
  port = await freeUdpPort();
  bmc = new IpmiBmc({ name: 'node1', folder, address: '127.0.0.1', port, user: 'admin', password: 'pass-word$' }, chassis);
  await bmc.start();
});

afterAll(async () => {
  await bmc.stop();
  rmSync(folder, { recursive: true });
});

function call(what: PowerCall, change: Record<string, string> = {}, options: { timeoutMs?: number; firmware?: 'bios' | 'uefi' } = {}) {
  const given = { power_address: `127.0.0.1:${port}`, power_user: 'admin', power_pass: 'pass-word$', ...change };
  const checked = checkPowerParameters('ipmi', given);
  const parameters: PowerParameters = checked.ok ? checked.parameters : {};
  expect(checked.ok).toBe(true);
  const target = { parameters, ...(options.firmware ? { firmware: options.firmware } : {}) };
  return callBmc({ type: 'ipmi', target }, what, {
    clock: () => 42,
    signal: new AbortController().signal,
    timeoutMs: options.timeoutMs ?? 15_000,
  });
}

test('on, state, next boot, cycle, soft and hard off', async () => {
  expect(await call({ kind: 'state' })).toMatchObject({ kind: 'reading', reading: { state: 'off', at: 42 } });
  expect(await call({ kind: 'next-boot', device: 'network' }, {}, { firmware: 'uefi' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.nextBoot).toBe('network');
  expect(await call({ kind: 'on' })).toMatchObject({ kind: 'accepted' });
  expect(await call({ kind: 'state' })).toMatchObject({ kind: 'reading', reading: { state: 'on' } });
  expect(await call({ kind: 'next-boot', device: 'disk' })).toMatchObject({ kind: 'accepted' });
  expect(await call({ kind: 'cycle' })).toMatchObject({ kind: 'accepted' });
  // ipmi_sim answers a cycle while the machine is off, and switches it on a moment later: as real BMCs do.
  await vi.waitFor(() => expect(chassis.starts).toEqual(['network', 'default']), 5_000);
  expect(await call({ kind: 'off', how: 'soft' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.power()).toBe('off');
  await chassis.on();
  expect(await call({ kind: 'off', how: 'hard' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.power()).toBe('off');
  expect(bmc.log.map((entry) => entry.command)).toEqual(['boot', 'on', 'boot', 'off', 'on', 'soft-off', 'off']);
});

test('a wrong password, user and cipher suite are told from silence', async () => {
  expect(await call({ kind: 'state' }, { power_pass: 'wrong' })).toMatchObject({
    failure: 'refused',
    reading: { state: 'error', evidence: 'wrong password' },
  });
  expect(await call({ kind: 'state' }, { power_user: 'nobody' })).toMatchObject({ failure: 'refused' });
  expect(await call({ kind: 'state' }, { cipher_suite_id: '17' })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'on' }, { k_g: 'a key' })).toMatchObject({ failure: 'refused' });
  expect(await call({ kind: 'off', how: 'hard' }, { privilege_level: 'USER' })).toMatchObject({ failure: 'refused' });
  expect(await call({ kind: 'state' }, { power_address: 'no-such-host.invalid' })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'state' }, { power_address: '-oProxy' })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'on' }, { power_pass: 'x'.repeat(21) })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'on' }, { power_user: 'x'.repeat(17) })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'state' }, { power_driver: 'LAN' })).toMatchObject({ reading: { state: 'off' } });
});

test('a BMC that turns a command down in words of its own may have carried it out', async () => {
  bmc.faults.turnDown = 1;
  expect(await call({ kind: 'on' })).toMatchObject({ kind: 'failed', failure: 'unknown-outcome' });
  bmc.faults.turnDown = 1;
  expect(await call({ kind: 'state' })).toMatchObject({ kind: 'reading', reading: { state: 'error' } });
});

test('an answer lost after the act is an unknown outcome, and a frozen BMC is unreachable, never off', async () => {
  bmc.faults.dropAfterActing = 1;
  expect(await call({ kind: 'on' }, {}, { timeoutMs: 5_000 })).toMatchObject({ kind: 'failed', failure: 'unknown-outcome' });
  expect(chassis.power()).toBe('on');
  expect(await call({ kind: 'state' }, {}, { timeoutMs: 2_500 })).toMatchObject({ failure: 'unreachable', reading: { state: 'error' } });
  bmc.freeze(false);
  expect(await call({ kind: 'state' })).toMatchObject({ reading: { state: 'on' } });
}, 30_000);

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

test('no secret is on the command line', async () => {
  bmc.faults.delayMs = 1_000;
  const running = call({ kind: 'state' });
  await new Promise((done) => setTimeout(done, 500));
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(`-p ${port}`));
  delete bmc.faults.delayMs;
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('\n')).not.toContain('pass-word');
  expect((await running).kind).toBe('reading');
  expect(readFileSync(join(folder, 'node1.ipmi', 'lan.conf'), 'utf8')).toContain('admin');
});
