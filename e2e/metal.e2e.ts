/**
 * Real firmware, end to end: a machine with SeaBIOS and an IPMI BMC and one with OVMF and a Redfish BMC, side by side, through the whole
 * chain: switched on once by the harness, enlisted, power parameters set through the front, commissioned, allocated, deployed, booted from
 * their own disks, real cloud-init, Deployed, SSH; rebooted by hand; released with quick erase.
 *
 * `npm run e2e -- metal [bios|uefi]`. Serial consoles and logs are kept on failure.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildAgent } from '../src/cell/images/build-agent.ts';
import { buildDebian12 } from '../src/cell/images/build-debian.ts';
import { ApiError } from '../src/http/client.ts';
import { startMetalFleet, type MetalFleet } from './metal-fleet.ts';
import { diskPath } from '../src/sim/qemu-machine.ts';
import { Rack, startsWithoutOrder, whyNoMetal } from './rack.ts';
import type { RackedMachine } from '../src/sim/racked-machine.ts';
import { Timeline, until } from './timeline.ts';

const run = promisify(execFile);
const wanted = process.argv.slice(2).filter((word) => word === 'bios' || word === 'uefi');
const kinds = wanted.length > 0 ? wanted : ['bios', 'uefi'];
const mebibyte = 1024 * 1024;

const problem = await whyNoMetal();
if (problem !== undefined) {
  process.stderr.write(`NOT RUN: metal: ${problem}\n`);
  process.exit(3);
}

const images = process.env['MUSTER_IMAGES'] ?? join(homedir(), '.cache/muster/images');
const timeline = new Timeline();
const report = ({ image, step, done }: { image: string; step: string; done: number }) => {
  const line = `${image}: ${step} (${Math.round(done * 100)} %)`;
  if (line !== lastLine) process.stdout.write(`${line}\n`);
  lastLine = line;
};
let lastLine = '';
await buildAgent({ folder: images, progress: report });
await buildDebian12({ folder: images, progress: report });
timeline.mark('images', 'agent and debian-12 are built');

const folder = await mkdtemp(join(tmpdir(), 'muster-metal-'));
let failure: unknown;
const rack = await Rack.raise(1, folder);
try {
  await using fleet = await startMetalFleet(rack, folder, images);
  timeline.mark('fleet', `hub, front and cell are up: ${fleet.front.url}`);
  const machines = [];
  for (const kind of kinds)
    machines.push(await rack.add({ name: kind, firmware: kind === 'uefi' ? 'uefi' : 'bios', bmc: kind === 'uefi' ? 'redfish' : 'ipmi' }));
  const results = await Promise.allSettled(machines.map((machine) => wholeLife(fleet, machine)));
  failure = results.find((result) => result.status === 'rejected')?.reason;
} catch (error) {
  failure = error;
} finally {
  await rack.lower();
}
timeline.print();
if (failure !== undefined) {
  process.stderr.write(
    `\nmetal failed: ${failure instanceof Error ? failure.stack : String(failure)}\nconsoles and logs are kept in ${folder}\n`,
  );
  for (const kind of kinds)
    process.stderr.write(
      `\n--- end of the console of ${kind}\n${(await readFile(join(folder, `${kind}.console`), 'utf8').catch(() => '')).slice(-2500)}\n`,
    );
  process.exit(1);
}
await rm(folder, { recursive: true, force: true });
process.stdout.write(`\nmetal: ${kinds.length} passed, 0 failed\n`);
process.exit(0);

/** One machine from power-on to released. Every step is asserted by what the API, the BMC, the disk or SSH says. */
async function wholeLife(fleet: MetalFleet, racked: RackedMachine): Promise<void> {
  const { client } = fleet;
  const { machine, bmc } = racked;
  const { name, mac } = machine.spec;
  const mark = (what: string) => timeline.mark(name, what);

  await machine.on();
  mark('switched on by the harness');
  const enlisted = await until(`${name} is enlisted`, 180, async () => {
    const found = await client.call('Machines.read', {}, { mac_address: [mac] });
    return found[0]?.status_name === 'New' && machine.power() === 'off' ? found[0] : undefined;
  });
  const { system_id } = enlisted;
  mark(`enlisted as ${system_id} (New) and off`);

  const wrong = { ...racked.powerParameters, power_pass: 'wrong' };
  await expectError(400, client.call('Machine.update', { system_id }, { power_type: racked.powerType, power_parameters: wrong }));
  mark('a wrong BMC password is refused when it is set');
  const parameters = racked.powerType === 'redfish' ? { ...racked.powerParameters, power_verify_ssl: 'n' } : racked.powerParameters;
  await client.call('Machine.update', { system_id }, { power_type: racked.powerType, power_parameters: parameters });
  mark('power parameters set through the front');

  await client.call('Machine.commission', { system_id }, {});
  await settled(fleet, system_id, 'Ready', 240, mark);
  const ready = await client.call('Machine.read', { system_id }, {});
  check(ready.memory > 800 && ready.cpu_count >= 1, `memory ${ready.memory} MiB and ${ready.cpu_count} CPU were found`);
  check(
    ready.blockdevice_set.some((disk) => disk.serial === machine.spec.diskSerial && disk.size === machine.spec.diskMiB * mebibyte),
    'the disk was found by its serial',
  );
  check(ready.hardware_uuid?.toLowerCase() === machine.spec.uuid.toLowerCase(), 'the SMBIOS UUID was found');
  mark('Ready');

  const bridged = machine.spec.firmware === 'bios';
  const allocated = await client.call('Machines.allocate', {}, { system_id: [system_id] });
  check(allocated.system_id === system_id && allocated.status_name === 'Allocated', 'allocated through the front');
  await client.call(
    'Machine.deploy',
    { system_id },
    {
      distro_series: 'debian/12',
      // One finds out about its network by itself, the other is told of it.
      ...(bridged ? { bridge_all: true, bridge_fd: 0 } : {}),
      user_data: Buffer.from('#cloud-config\nwrite_files:\n- path: /etc/muster-e2e\n  content: user-data was here\n').toString('base64'),
    },
  );
  mark('deploying');
  await settled(fleet, system_id, 'Deployed', 900, mark);
  const deployed = await client.call('Machine.read', { system_id }, {});
  mark(`Deployed at ${deployed.ip_addresses.join(', ')}`);
  await logIn(fleet, deployed.ip_addresses[0] ?? '', system_id, mark);
  if (bridged) {
    const bridge = deployed.interface_set.find((nic) => nic.type === 'bridge');
    check(bridge?.name === 'br-eth0' && bridge.links[0]?.ip_address === deployed.ip_addresses[0], 'the bridge has the address');
    const shown = await ssh(
      fleet,
      deployed.ip_addresses[0] ?? '',
      'ip -brief address show dev br-eth0; ip -brief link show master br-eth0',
    );
    check(shown.includes(`${deployed.ip_addresses[0]}/24`) && /^eth0 /m.test(shown), `the system has the bridge: ${shown}`);
    mark('the system has its address on a bridge');
  }

  const log = await client.call('Events.query', {}, { id: [system_id], level: 'DEBUG', limit: 1000 });
  const asked = (what: string) =>
    log.events.filter((event) => event.description.includes('/boot/script.ipxe') && event.description.includes(what)).length;
  check(
    asked('environment commission') > 0 && asked('environment deploy') > 0 && asked('local') > 1,
    'the boot log has the requests of every boot: commission, deploy, twice the local disk',
  );
  // Only the cell switched the machine after its first start.
  const strange = startsWithoutOrder(machine, bmc.log).slice(1);
  check(strange.length === 0, `every power change after enlistment was the cell's (${strange.length} were not)`);

  await client.call('Machine.release', { system_id }, { erase: true, quick_erase: true });
  mark('releasing with quick erase');
  await settled(fleet, system_id, 'Ready', 300, mark);
  await erased(racked);
  const after = await client.call('Machine.read', { system_id }, {});
  check(
    after.interface_set.every((nic) => nic.type === 'physical'),
    'the bridge went with the release',
  );
  mark('released: first and last MiB are zero, no signature is found');
}

/** Wait until the machine is in this state; note each new step of its operation on the way. */
async function settled(fleet: MetalFleet, systemId: string, state: string, seconds: number, mark: (what: string) => void): Promise<void> {
  let last = '';
  await until(
    `${systemId} is ${state}`,
    seconds,
    async () => {
      const machine = await fleet.client.call('Machine.read', { system_id: systemId }, {});
      const step = machine.operation ? `${machine.operation.kind}: ${machine.operation.step}` : '';
      if (step !== last && step !== '') mark(step);
      last = step;
      if (/^Failed|failed$/.test(machine.status_name))
        throw new Error(`${systemId} is ${machine.status_name}: ${machine.status_message ?? ''} ${machine.error_description}`);
      return machine.status_name === state ? true : undefined;
    },
    () => `last step: ${last}`,
  );
}

/** SSH as a user would: cloud-id, instance-id, user-data; a marker and the machine-id outlive a reboot by hand. */
async function logIn(fleet: MetalFleet, address: string, systemId: string, mark: (what: string) => void): Promise<void> {
  const there = (command: string) => ssh(fleet, address, command);
  const cloudId = await until("SSH with the user's key", 180, () => there('cloud-id').catch(() => undefined));
  check(cloudId === 'maas', `cloud-id is ${cloudId}`);
  // cloud-init's MAAS datasource keeps the id that the metadata server gave.
  const instance = await there(
    'sudo cat /run/cloud-init/instance-data.json | tr -d \' \\n\' | grep -o \'"instance-id":"[^"]*"\' | head -1',
  );
  check(instance.includes(systemId), `the instance-id is ${instance}`);
  check(
    (await until('the user-data ran', 120, async () => (await there('cat /etc/muster-e2e').catch(() => '')) || undefined)).includes(
      'user-data was here',
    ),
    'user-data ran',
  );
  const machineId = await there('cat /etc/machine-id');
  await there('echo here | sudo tee /var/lib/muster-e2e-marker; sync');
  const bootId = await there('cat /proc/sys/kernel/random/boot_id');
  await there('sudo systemctl reboot').catch(() => undefined);
  mark('rebooted by hand');
  await until('it is back after the reboot', 300, async () => {
    const now = await there('cat /proc/sys/kernel/random/boot_id').catch(() => undefined);
    return now !== undefined && now !== bootId ? now : undefined;
  });
  check((await there('cat /var/lib/muster-e2e-marker')) === 'here', 'the marker is there after the reboot');
  check((await there('cat /etc/machine-id')) === machineId, 'the machine-id is the same');
  mark('marker and machine-id are as before the reboot');
}

/** What a command prints in the installed system. */
async function ssh(fleet: MetalFleet, address: string, command: string): Promise<string> {
  const words = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'ConnectTimeout=10', 'BatchMode=yes', 'LogLevel=ERROR'];
  const options = ['-i', fleet.sshKey, ...words.flatMap((word) => ['-o', word])];
  const [program = '', ...rest] = rack.inside(['ssh', ...options, `debian@${address}`, command]);
  return (await run(program, rest, { timeout: 60_000 })).stdout.trim();
}

/** The disk as the host sees it. */
async function erased({ machine }: RackedMachine): Promise<void> {
  const path = diskPath(machine.spec);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    for (const position of [0, size - mebibyte]) {
      const { buffer } = await file.read(Buffer.alloc(mebibyte), 0, mebibyte, position);
      check(
        buffer.every((byte) => byte === 0),
        `MiB at ${position} is zero`,
      );
    }
  } finally {
    await file.close();
  }
  const signatures = await run('wipefs', ['--no-act', '--parsable', path]);
  check(signatures.stdout.trim() === '', `no signature is found: ${signatures.stdout.trim()}`);
}

async function expectError(status: number, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  check(
    error instanceof ApiError && error.status === status,
    `refused with ${status}: ${error instanceof Error ? error.message : 'it was accepted'}`,
  );
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}
