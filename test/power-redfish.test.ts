// The redfish driver against the tests' own emulator: real HTTP, real TLS, a chassis without firmware.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PlainChassis } from '../src/sim/chassis.ts';
import type { BmcFaults } from '../src/sim/chassis.ts';
import { RedfishBmc } from '../src/sim/redfish-bmc.ts';
import type { RedfishBmcSpec } from '../src/sim/redfish-bmc.ts';
import { callBmc } from '../src/cell/power/execute.ts';
import type { PowerCall, PowerOutcome } from '../src/cell/power/execute.ts';

const open: RedfishBmc[] = [];

afterEach(async () => {
  for (const bmc of open.splice(0)) await bmc.stop();
});

async function bench(change: Partial<RedfishBmcSpec> = {}, faults: BmcFaults = {}) {
  const chassis = new PlainChassis();
  const bmc = new RedfishBmc({ address: '127.0.0.1', port: 0, user: 'root', password: 'calvin:1', ...change }, chassis, faults);
  open.push(bmc);
  const address = await bmc.start();
  const call = (what: PowerCall, settings: Record<string, string> = {}, timeoutMs = 5_000): Promise<PowerOutcome> =>
    callBmc(
      { type: 'redfish', target: { parameters: { power_address: address, power_user: 'root', power_pass: 'calvin:1', ...settings } } },
      what,
      { clock: () => 42, signal: new AbortController().signal, timeoutMs },
    );
  return { chassis, bmc, call, address };
}

test('on, state, next boot, cycle, soft and hard off', async () => {
  const { chassis, bmc, call } = await bench();
  expect(await call({ kind: 'state' })).toMatchObject({ kind: 'reading', reading: { state: 'off', at: 42 } });
  expect(await call({ kind: 'next-boot', device: 'network' })).toMatchObject({ kind: 'accepted' });
  expect(await call({ kind: 'on' })).toMatchObject({ kind: 'accepted', evidence: 'ResetType On accepted' });
  expect(await call({ kind: 'state' })).toMatchObject({ reading: { state: 'on' } });
  expect(await call({ kind: 'next-boot', device: 'disk' })).toMatchObject({ kind: 'accepted' });
  expect(await call({ kind: 'cycle' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.starts).toEqual(['network', 'default']);
  expect(await call({ kind: 'off', how: 'soft' })).toMatchObject({ kind: 'accepted' });
  await chassis.on();
  expect(await call({ kind: 'off', how: 'hard' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.power()).toBe('off');
  expect(bmc.log.map((entry) => entry.command)).toEqual(['boot', 'on', 'boot', 'reset', 'soft-off', 'off']);
});

test('the reset type is one that the BMC allows, wherever it says so', async () => {
  const few = await bench({ resetTypes: ['ForceOn', 'ForceOff', 'PowerCycle'], actionInfo: true });
  expect(await few.call({ kind: 'on' })).toMatchObject({ evidence: 'ResetType ForceOn accepted' });
  expect(await few.call({ kind: 'cycle' })).toMatchObject({ evidence: 'ResetType PowerCycle accepted' });
  expect(await few.call({ kind: 'off', how: 'soft' })).toMatchObject({ evidence: 'ResetType ForceOff accepted' });
  const none = await bench({ resetTypes: ['On', 'ForceOff'] });
  expect(await none.call({ kind: 'cycle' })).toMatchObject({ kind: 'failed', failure: 'unsupported' });
});

test('several systems need a node_id that exists', async () => {
  const { call } = await bench({ systemId: 'blade1', otherSystems: ['blade2'] });
  expect(await call({ kind: 'state' })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'state' }, { node_id: 'blade1' })).toMatchObject({ reading: { state: 'off' } });
  expect(await call({ kind: 'state' }, { node_id: 'blade9' })).toMatchObject({ failure: 'wrong-settings' });
});

test('a wrong password is refused, an address where nothing listens is unreachable', async () => {
  const { call } = await bench();
  expect(await call({ kind: 'state' }, { power_pass: 'x' })).toMatchObject({ failure: 'refused', reading: { state: 'error' } });
  expect(await call({ kind: 'on' }, { power_pass: 'x' })).toMatchObject({ kind: 'failed', failure: 'refused' });
  expect(await call({ kind: 'on' }, { power_address: 'http://127.0.0.1:1' })).toMatchObject({ failure: 'unreachable' });
  expect(await call({ kind: 'on' }, { power_address: 'https://exa mple' })).toMatchObject({ failure: 'wrong-settings' });
  expect(await call({ kind: 'on' }, { power_address: 'http://no-such-host.invalid' })).toMatchObject({
    kind: 'failed',
    failure: 'wrong-settings',
  });
});

test('busy, lying and colliding', async () => {
  const { bmc, chassis, call } = await bench({}, { turnDown: 1 });
  expect(await call({ kind: 'on' })).toMatchObject({ kind: 'failed', failure: 'busy' });
  expect(chassis.power()).toBe('off');
  bmc.faults.lie = 'PoweringOn';
  expect(await call({ kind: 'state' })).toMatchObject({ reading: { state: 'unknown' } });
  delete bmc.faults.lie;
  bmc.faults.collide = 2;
  expect(await call({ kind: 'next-boot', device: 'network' })).toMatchObject({ kind: 'accepted' });
  expect(chassis.nextBoot).toBe('network');
  bmc.faults.collide = 9;
  expect(await call({ kind: 'next-boot', device: 'disk' })).toMatchObject({ kind: 'failed', failure: 'busy' });
});

test('an answer lost after the act is an unknown outcome; a frozen BMC is an error in time, never off', async () => {
  const { bmc, chassis, call } = await bench({}, { dropAfterActing: 1 });
  expect(await call({ kind: 'on' })).toMatchObject({ kind: 'failed', failure: 'unknown-outcome' });
  expect(chassis.power()).toBe('on');
  bmc.faults.frozen = true;
  const before = performance.now();
  expect(await call({ kind: 'state' }, {}, 400)).toMatchObject({ failure: 'unreachable', reading: { state: 'error' } });
  expect(performance.now() - before).toBeLessThan(1_400);
  bmc.faults.frozen = false;
  bmc.faults.delayMs = 50;
  expect(await call({ kind: 'state' })).toMatchObject({ reading: { state: 'on' } });
});

test('credentials never follow a redirect to another origin', async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end('{}');
  });
  await new Promise<void>((done) => elsewhere.listen(0, '127.0.0.1', done));
  try {
    const { call } = await bench({ redirectTo: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}` });
    for (const kind of ['state', 'on'] as const) expect(await call({ kind })).toMatchObject({ failure: 'wrong-settings' });
    expect(seen).toEqual([]);
  } finally {
    await new Promise((done) => elsewhere.close(done));
  }
});

test('a certificate is checked unless the settings say otherwise', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tls-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-subj',
        '/CN=bmc',
        '-days',
        '2',
      ],
      { stdio: 'ignore' },
    );
    const { call } = await bench({ tls: { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') } });
    expect(await call({ kind: 'state' })).toMatchObject({
      failure: 'wrong-settings',
      reading: { evidence: expect.stringContaining('power_verify_ssl') },
    });
    expect(await call({ kind: 'state' }, { power_verify_ssl: 'n' })).toMatchObject({ reading: { state: 'off' } });
    expect(await call({ kind: 'on' }, { power_verify_ssl: 'n' })).toMatchObject({ kind: 'accepted' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what is not Redfish is an error in words', async () => {
  const answers = ['', 'null', '[]', '{"Members":[{"@odata.id":"http://elsewhere.invalid/x"}]}', '{"Members":{}}', 'x'.repeat(2 << 20)];
  for (const answer of answers) {
    const server = createServer((_, response) => response.end(answer));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { call } = await bench();
    const power_address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await call({ kind: 'on' }, { power_address })).toMatchObject({ kind: 'failed', failure: 'wrong-settings' });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});
