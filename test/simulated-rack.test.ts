/** A simulated rack against one real cell: three machines that work, and one for each thing that goes wrong, through the whole of their lives. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError, createClient, type Client } from '../src/http/client.ts';
import { stopSurvivor } from '../src/postgres/embedded-postgres.ts';
import { completedWrites } from '../src/sim/disk.ts';
import type { MachineFaults } from '../src/sim/fault.ts';
import { createFleet, type Fleet, type FleetMachine } from '../src/sim/fleet.ts';
import {
  freePort,
  killCellProcess,
  machinesOf,
  simulatedImages,
  startCellProcess,
  until,
  type CellProcess,
  type SeenMachine,
  type ServedImages,
} from '../e2e/sim-cell.ts';

/** By machine number; the first three are whole. */
const faults: readonly MachineFaults[] = [
  {},
  {},
  {},
  { repliesLost: ['enlist', 'check-in', 'maas-scripts', 'signal', 'claim', 'spend', 'user-data'] },
  { dropsHttp: 0.15 },
  { bootsTwice: true },
  { failsAt: 'unpack' },
  { foreignData: true },
  { scriptFails: '50-muster-inventory' },
  // Its BMC is out of sorts while it is deployed, below.
  {},
];
const deployed = [0, 1, 2, 3, 4, 5, 9];

const folder = mkdtempSync(join(tmpdir(), 'muster-rack-'));
let images: ServedImages;
let cell: CellProcess;
let client: Client;
let fleet: Fleet;
const ids: string[] = [];

beforeAll(async () => {
  images = await simulatedImages(join(folder, 'images'), 1);
  const port = await freePort();
  cell = await startCellProcess({
    folder: join(folder, 'cell'),
    images: images.folder,
    port,
    imageSources: [images.source],
    network: '127.44.255.254/16',
    killPoint: '',
    nth: 1,
    killPostgres: false,
  });
  const cellUrl = `http://127.0.0.1:${port}`;
  client = createClient({ url: cellUrl, key: cell.key });
  const addresses = { machines: '127.44.0.1', bmcs: '127.45.0.1', bmcPort: 8443 };
  fleet = await createFleet({
    seed: 'rack test',
    machines: faults.length,
    cellUrl,
    speed: 300,
    addresses,
    faults: (number) => faults[number] ?? {},
  });
}, 60_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  if (cell) await killCellProcess(cell);
  await stopSurvivor(join(folder, 'cell/postgres'));
  await images?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

const show = (seen: readonly SeenMachine[]): string => seen.map((one) => `${one.system_id} ${one.status_name} ${one.error}`).join(', ');
const stateOf = (seen: readonly SeenMachine[], number: number): string =>
  seen.find((one) => one.system_id === ids[number])?.status_name ?? 'gone';
const settled = (what: string, numbers: readonly number[], state: string) =>
  until(
    what,
    90_000,
    () => machinesOf(client),
    (seen) => numbers.every((number) => stateOf(seen, number) === state),
    show,
  );
const machine = (number: number): FleetMachine => fleet.machines[number] as FleetMachine;

test('every machine enlists itself once, with what it is, and switches itself off', async () => {
  await fleet.start();
  const seen = await until(
    'enlistment',
    60_000,
    () => machinesOf(client),
    (all) => all.length >= faults.length,
    show,
  );
  for (const { machine: one } of fleet.machines) {
    const found = seen.filter((row) => row.macs.some((mac) => one.model.cards.some((card) => card.mac === mac)));
    expect(found.map((row) => [row.status_name, row.macs])).toEqual([['New', one.model.cards.map((card) => card.mac)]]);
    ids.push(found[0]?.system_id ?? '');
  }
  await until(
    'power off',
    20_000,
    () => Promise.resolve(fleet.machines),
    (all) => all.every((one) => !one.machine.isOn()),
    () => 'some are on',
  );
}, 90_000);

test('a wrong BMC password is refused when it is set', async () => {
  const { power_address } = machine(0).power.power_parameters;
  const wrong = client.call(
    'Machine.update',
    { system_id: ids[0] ?? '' },
    { power_type: 'redfish', power_parameters: { power_address, power_user: 'root', power_pass: 'wrong' } },
  );
  await expect(wrong).rejects.toThrow(ApiError);
});

test('commissioning finds out what they are made of', async () => {
  for (const [number, id] of ids.entries()) {
    await client.call(
      'Machine.update',
      { system_id: id },
      { power_type: 'redfish', power_parameters: { ...machine(number).power.power_parameters } },
    );
    await client.call('Machine.commission', { system_id: id }, {});
  }
  await settled('commissioning', [...deployed, 6, 7], 'Ready');
  await settled('the failing script', [8], 'Failed commissioning');
  const body = await client.call('Machine.read', { system_id: ids[0] ?? '' }, {});
  const { model } = machine(0).machine;
  expect(body).toMatchObject({ cpu_count: model.cpu.count, memory: model.memoryMib });
  expect((body.physicalblockdevice_set ?? []).map((disk) => (disk as { serial?: string }).serial).toSorted()).toEqual(
    model.disks.map((disk) => disk.serial).toSorted(),
  );
}, 120_000);

test('a tag finds its machines by what lshw printed on them, and with another definition others', async () => {
  const vendorOf = (number: number): string => machine(number).machine.model.vendor;
  const first = vendorOf(0);
  const made = (vendor: string) => ids.filter((_, number) => vendorOf(number) === vendor).toSorted();
  const definition = (test: string) => `//lshw:node[@class="system"]/lshw:vendor ${test} "${first}"`;
  const members = async () => (await client.call('Tag.machines', { name: 'maker' }, {})).map((one) => one.system_id).toSorted();
  const others = ids.filter((id) => !made(first).includes(id)).toSorted();
  expect([made(first).length, others.length]).not.toContain(0);
  await client.call('Tags.create', {}, { name: 'maker', definition: definition('='), kernel_opts: 'maker=first' });
  await until('the tag', 20_000, members, (found) => found.join() === made(first).join(), String);
  await client.call('Tag.update', { name: 'maker' }, { definition: definition('!=') });
  await until('the changed tag', 20_000, members, (found) => found.join() === others.join(), String);
}, 60_000);

test('deploying: one claim and one completed write each, whatever was lost on the way', async () => {
  Object.assign(machine(9).bmc.faults, { turnDown: 1, collide: 1 });
  for (const number of [...deployed, 6, 7])
    await client.call('Machine.deploy', { system_id: ids[number] ?? '' }, { user_data: btoa('#cloud-config\n{}\n') });
  await settled('deploying', deployed, 'Deployed');
  for (const number of deployed) {
    const { machine: one } = machine(number);
    expect([...completedWrites(fleet.diskLog(number)).values()], `machine ${number}`).toEqual([1]);
    expect(one.boots.filter((boot) => boot.purpose === 'deploy' && boot.claimed)).toHaveLength(1);
  }
  await until(
    'up',
    30_000,
    () => Promise.resolve(machine(0).machine.stage),
    (stage) => stage === 'up',
    (stage) => stage,
  );
  expect(machine(0).machine.boots.at(-1)?.system).toMatchObject({ instanceId: ids[0], userData: '#cloud-config\n{}\n', reports: 12 });
}, 120_000);

test('a second boot with the same nonce is refused', () => {
  const boot = machine(5).machine.boots.find((one) => one.purpose === 'deploy');
  expect(boot?.secondBoot).toEqual([403]);
});

test('a failed installer and data that nobody accounts for end in words, not in a written disk', async () => {
  const seen = await settled('the failing installer', [6], 'Failed deployment');
  expect(seen.find((one) => one.system_id === ids[6])?.error).toMatch(/unpack/);
  expect(completedWrites(fleet.diskLog(6)).size).toBe(0);
  expect(machine(7).machine.boots.at(-1)?.refused).toMatch(/claim: refused with 409: .*xfs/);
  expect(fleet.diskLog(7)).toEqual([]);
}, 120_000);

test('a reboot by hand goes to the same system', async () => {
  const { machine: one } = machine(1);
  await until(
    'up',
    30_000,
    () => Promise.resolve(one.stage),
    (stage) => stage === 'up',
    (stage) => stage,
  );
  const before = one.boots.at(-1)?.system?.machineId;
  one.order('reset');
  await until(
    'the reboot',
    30_000,
    () => Promise.resolve(one),
    () => one.stage === 'up' && one.boots.at(-1)?.purpose === 'system',
    () => one.stage,
  );
  expect(one.boots.at(-1)?.system?.machineId).toBe(before);
  expect(before).toMatch(/^[0-9a-f]{32}$/);
}, 40_000);

test('released with erasing: off, Ready, and nothing on the disks', async () => {
  for (const number of [0, 1, 2])
    await client.call('Machine.release', { system_id: ids[number] ?? '' }, { erase: true, quick_erase: true });
  await settled('releasing', [0, 1, 2], 'Ready');
  for (const number of [0, 1, 2]) {
    expect(machine(number).machine.isOn()).toBe(false);
    expect(machine(number).machine.disks.flatMap((disk) => [...disk.signatures(), disk.marker])).toEqual(
      machine(number).machine.disks.map(() => ''),
    );
  }
}, 120_000);
