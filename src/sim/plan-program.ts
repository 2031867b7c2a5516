/** Carries a plan script out on simulated disks: each function of `/muster/steps.sh` with the same conditions and the same failures. */
import type { Firmware } from './machine-model.ts';
import type { FileSystem, SimulatedDisk, Writer } from './disk.ts';
import { planFunctions, type BootStage } from './fault.ts';
import type { PlanCall } from './shell-words.ts';

export interface PlanMachine {
  readonly disks: readonly SimulatedDisk[];
  readonly firmware: Firmware;
  readonly writer: Writer;
  /** Fetch all of a URL (or path of the cell); goes on where it broke off. */
  fetch(url: string): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** Called in the middle of every step. A fault may end the boot there. */
  reach(stage: BootStage): Promise<void>;
}

/** The plan ends here, as `fail` of the agent's steps ends it. */
export class PlanFailure extends Error {
  override readonly name = 'PlanFailure';
}

interface Mount {
  readonly disk: SimulatedDisk;
  readonly partition: number;
  readonly filesystem: FileSystem;
}

interface Run {
  readonly machine: PlanMachine;
  readonly named: Map<string, SimulatedDisk>;
  readonly mounts: Map<string, Mount>;
}

const digest = /^[0-9a-f]{64}$/;
const sizes = /^(\d{1,12}(KiB|MiB|GiB)|rest)$/;
const partitionTypes = ['bios_grub', 'esp', 'root', 'linux', 'swap'];
const fileSystems = ['ext4', 'ext2', 'xfs', 'vfat', 'swap'];

function fail(text: string): never {
  throw new PlanFailure(text);
}

/** Run the calls in order. @throws PlanFailure at the first that fails. */
export async function runPlan(calls: readonly PlanCall[], machine: PlanMachine): Promise<void> {
  const run: Run = { machine, named: new Map(), mounts: new Map() };
  for (const call of calls) await runCall(call, run);
}

async function runCall(call: PlanCall, run: Run): Promise<void> {
  const name = planFunctions.find((one) => one === call.name);
  if (name === undefined) fail(`${call.name}: not found`);
  const words = call.words;
  const word = (at: number): string => words[at] ?? fail(`${call.name}: word ${at + 1} is missing`);
  const only = (count: number): void => void (words.length === count || fail(`${call.name}: ${words.length} words instead of ${count}`));
  const disk = (): SimulatedDisk => run.named.get(word(0)) ?? fail(`the plan names a disk '${word(0)}' that no 'disk' line has found`);
  const number = (at: number): number =>
    /^\d{1,3}$/.test(word(at)) ? Number(word(at)) : fail(`${call.name}: ${word(at)} is no partition`);
  const { machine } = run;
  const { writer } = machine;
  if (name !== 'unpack') await machine.reach(name);
  switch (name) {
    case 'disk':
      only(3);
      run.named.set(word(0), findDisk(machine.disks, word(1), word(2)));
      return;
    case 'marker':
      only(6);
      if (word(1) !== 'started' && word(1) !== 'done') fail(`marker: ${word(1)}`);
      if (word(1) === 'done' && [...run.mounts.values()].some((mount) => mount.disk === disk()))
        fail('marker: done while the disk is mounted');
      disk().writeMarker(writer, `muster ${word(2)} ${word(3)} ${word(4)} ${word(1)} ${word(5)}`);
      return;
    case 'gpt':
      disk().partition(writer, words.slice(1).map(readPartition));
      return;
    case 'filesystem': {
      only(5);
      const at = number(1);
      if (!fileSystems.includes(word(2))) fail(`filesystem: cannot make ${word(2)}`);
      if (at === 0) disk().partition(writer, []);
      else if (!disk().partitions.some((part) => part.number === at)) fail(`filesystem: there is no partition ${at}`);
      if (word(2) === 'vfat' && !/^[0-9A-F]{4}-[0-9A-F]{4}$/.test(word(4))) fail(`filesystem: ${word(4)} is no volume id`);
      if (word(2) !== 'vfat' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(word(4))) fail(`filesystem: ${word(4)} is no UUID`);
      disk().format(writer, at, word(2), word(3), word(4));
      return;
    }
    case 'mount_partition': {
      only(3);
      const filesystem = disk().filesystems.get(number(1)) ?? fail(`cannot mount partition ${word(1)}: no file system`);
      if (run.mounts.has(word(2))) fail(`cannot mount on ${word(2)}: busy`);
      run.mounts.set(word(2), { disk: disk(), partition: number(1), filesystem });
      return;
    }
    case 'unpack':
      only(4);
      return unpack(run, word(0), word(1), word(2), word(3));
    case 'write_file': {
      only(3);
      if (!/^0[0-7]{3}$/.test(word(1))) fail(`write_file: mode ${word(1)}`);
      const { mount, path } = locate(run, word(0));
      mount.disk.writeFile(writer, mount.filesystem, path, word(1), fromBase64(word(2)));
      return;
    }
    case 'grub':
      only(3);
      return installGrub(run, disk(), number(1), fromBase64(word(2)));
    case 'boot_order':
      only(1);
      if (word(0) !== 'network-first') fail(`boot_order: unknown order ${word(0)}`);
      return;
    case 'unmount':
      only(1);
      for (const path of run.mounts.keys()) if (path === word(0) || path.startsWith(`${word(0)}/`)) run.mounts.delete(path);
      return;
    case 'erase':
      only(2);
      if (word(1) !== 'quick') fail(`erase: unknown way ${word(1)}`);
      disk().erase(writer);
      return;
  }
}

function findDisk(disks: readonly SimulatedDisk[], match: string, size: string): SimulatedDisk {
  const found = disks.filter(({ model }) => match !== '' && (model.serial === match || model.wwn === match) && String(model.size) === size);
  const [only, another] = found;
  if (only === undefined)
    fail(
      `no disk is ${match} with ${size} bytes; there are: ${disks.map(({ model }) => `${model.name}=${model.serial}/${model.size}`).join(' ')}`,
    );
  if (another !== undefined) fail(`${match} with ${size} bytes is both ${only.model.name} and ${another.model.name}`);
  return only;
}

function readPartition(word: string): { number: number; type: string; size: string } {
  const [number = '', type = '', size = ''] = word.split(':');
  if (!/^\d{1,3}$/.test(number) || !partitionTypes.includes(type) || !sizes.test(size)) fail(`gpt: ${word}`);
  return { number: Number(number), type, size };
}

function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) fail('bad base64');
  return bytes;
}

/** The mounted file system that a path lies on, and the path inside of it. */
function locate(run: Run, path: string): { mount: Mount; path: string } {
  const at = [...run.mounts.keys()].filter((one) => path.startsWith(`${one}/`)).toSorted((a, b) => b.length - a.length)[0];
  const mount = at === undefined ? undefined : run.mounts.get(at);
  if (at === undefined || mount === undefined) fail(`${path} is on no mounted file system`);
  return { mount, path: path.slice(at.length) };
}

async function unpack(run: Run, url: string, sha256: string, format: string, path: string): Promise<void> {
  if (format !== 'tar.zst') fail(`unpack: cannot unpack ${format}`);
  if (!digest.test(sha256)) fail(`unpack: ${sha256} is no digest`);
  const mount = run.mounts.get(path) ?? fail(`unpack: nothing is mounted on ${path}`);
  const got = await run.machine.fetch(url);
  await run.machine.reach('unpack');
  if (got.sha256 !== sha256) fail(`unpack: ${url} has digest ${got.sha256}, not ${sha256}`);
  mount.disk.writeTree(run.machine.writer, mount.filesystem, sha256, got.bytes);
}

function installGrub(run: Run, disk: SimulatedDisk, number: number, config: Buffer): void {
  const { writer } = run.machine;
  const mounted = [...run.mounts.values()].filter((mount) => mount.disk === disk);
  const root = mounted.find((mount) => mount.partition === number) ?? fail(`grub: partition ${number} is not mounted`);
  disk.writeFile(writer, root.filesystem, '/boot/grub/grub.cfg', '0600', config);
  const stub = Buffer.from(
    `search.fs_uuid ${root.filesystem.uuid} root hd0,gpt${number}\nset prefix=($root)/boot/grub\nconfigfile /boot/grub/grub.cfg\n`,
  );
  for (const part of disk.partitions) {
    if (part.type === 'bios_grub') {
      if (part.number !== 1) fail('grub: bios_grub must be partition 1');
      disk.installBootCode(writer);
    }
    if (part.type === 'esp') {
      const esp = mounted.find((mount) => mount.partition === part.number) ?? fail(`grub: the ESP ${part.number} is not mounted`);
      disk.writeFile(writer, esp.filesystem, '/EFI/BOOT/BOOTX64.EFI', '0644', Buffer.from('GRUB'));
      disk.writeFile(writer, esp.filesystem, '/EFI/BOOT/grub.cfg', '0644', stub);
    }
  }
}
