import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completedWrites, installedSystem, SimulatedDisk } from './disk.ts';
import { machineModel, type Firmware } from './machine-model.ts';
import { PlanFailure, runPlan, type PlanMachine } from './plan-program.ts';
import { readPlan } from './shell-words.ts';

const digest = 'ab'.repeat(32);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const root = '00000000-0000-8000-a000-000000000001';

function made(firmware: Firmware, more: Partial<PlanMachine> = {}) {
  const disks = [new SimulatedDisk({ name: 'sda', model: 'M', serial: 'S1', wwn: '0x5', size: 1000, blockSize: 512, rotational: false })];
  const machine: PlanMachine = {
    disks,
    firmware,
    writer: { bootId: 'b1' },
    fetch: async () => ({ sha256: digest, bytes: 5 }),
    reach: async () => undefined,
    ...more,
  };
  return { machine, disk: disks[0] as SimulatedDisk };
}

const deployment = [
  '. /muster/steps.sh',
  "disk 'target' '0x5' '1000'",
  `marker target started abc 17 deploy ${digest}`,
  'gpt target 1:bios_grub:1MiB 2:esp:512MiB 3:root:rest',
  'filesystem target 2 vfat ESP 0000-0011',
  `filesystem target 3 ext4 root ${root}`,
  'mount_partition target 3 /target',
  `unpack http://127.0.0.1/x ${digest} tar.zst /target`,
  'mount_partition target 2 /target/boot/efi',
  `write_file /target/etc/fstab 0644 '${base64('x')}'`,
  `grub target 3 '${base64(`linux /boot/vmlinuz root=UUID=${root} ro\ninitrd /boot/initrd.img\n`)}'`,
  'boot_order network-first',
  'unmount /target',
  `marker target done abc 17 deploy ${digest}`,
];
const run = (lines: readonly string[], machine: PlanMachine) => runPlan(readPlan(lines.join('\n')), machine);

describe('a deployment', () => {
  test.each(['bios', 'uefi'] as const)('boots under %s, and is one completed write', async (firmware) => {
    const { machine, disk } = made(firmware);
    await run(deployment, machine);
    expect(installedSystem(disk, firmware)).toMatchObject({ kernel: `/boot/vmlinuz root=UUID=${root} ro` });
    expect(disk.signatures()).toEqual(['ext4', 'gpt', 'pmbr', 'vfat']);
    expect(disk.marker).toBe(`muster abc 17 deploy done ${digest}`);
    expect(completedWrites(disk.log)).toEqual(new Map([[17, 1]]));
    expect(new URLSearchParams(disk.line()).get('marker')).toBe(disk.marker);
  });

  test('run twice boots too, and counts twice', async () => {
    const { machine, disk } = made('bios');
    await run(deployment, machine);
    await run(deployment, machine);
    expect(completedWrites(disk.log)).toEqual(new Map([[17, 2]]));
    expect(typeof installedSystem(disk, 'bios')).toBe('object');
  });

  test('cut off anywhere it does not boot until it is run again', async () => {
    for (let end = 2; end < deployment.length; end += 1) {
      const { machine, disk } = made('uefi');
      await run(deployment.slice(0, end), machine);
      expect(completedWrites(disk.log).size).toBe(0);
      if (end < 11) expect(typeof installedSystem(disk, 'uefi')).toBe('string');
      await run(deployment, machine);
      expect(typeof installedSystem(disk, 'uefi')).toBe('object');
    }
  });

  test('erased, nothing is left', async () => {
    const { machine, disk } = made('bios');
    disk.plantForeignData();
    await run(deployment, machine);
    await run(['. /muster/steps.sh', 'disk a S1 1000', 'erase a quick'], machine);
    expect([disk.signatures(), disk.marker, installedSystem(disk, 'bios')]).toEqual([[], '', 'no boot code in the boot sector']);
  });
});

describe('fails as the agent fails', () => {
  const without = (pattern: RegExp) => deployment.filter((line) => !pattern.test(line));
  test.each([
    ['another size', deployment.map((line) => line.replace("'1000'", "'1001'")), /no disk is/],
    ['no table', without(/^gpt/), /no partition 2/],
    ['no file system', without(/ext4/), /no file system/],
    ['not mounted', without(/mount_partition target 3/), /nothing is mounted/],
    ['ESP not mounted', without(/mount_partition target 2/), /the ESP 2 is not mounted/],
    ['still mounted', without(/^unmount/), /while the disk is mounted/],
    ['another digest', deployment.map((line) => (line.startsWith('unpack') ? line.replace(digest, 'cd'.repeat(32)) : line)), /has digest/],
    ['unknown function', [...deployment, 'reformat target'], /not found/],
    ['bad base64', deployment.map((line) => line.replace(/0644 .*/, "0644 'a b'")), /base64/],
  ])('%s', async (_, lines, problem) => {
    const { machine, disk } = made('bios');
    await expect(run(lines, machine)).rejects.toThrow(problem);
    if (!lines.at(-1)?.startsWith('reformat')) expect(completedWrites(disk.log).size).toBe(0);
  });

  test('two disks with one serial number', async () => {
    const { machine, disk } = made('bios');
    await expect(run(deployment, { ...machine, disks: [disk, new SimulatedDisk(disk.model)] })).rejects.toThrow(/both/);
  });
});

test('any calls end, or fail as a plan', async () => {
  const word = fc.constantFrom(
    'target',
    '0x5',
    '1000',
    '1',
    '2',
    '3',
    '1:bios_grub:1MiB',
    '2:esp:512MiB',
    'ext4',
    'vfat',
    root,
    '/target',
    'started',
    'done',
    'quick',
    digest,
    'x',
  );
  const name = fc.constantFrom(
    'disk',
    'marker',
    'gpt',
    'filesystem',
    'mount_partition',
    'unpack',
    'write_file',
    'grub',
    'boot_order',
    'unmount',
    'erase',
    'rm',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ line: fc.constant(1), name, words: fc.array(word, { maxLength: 6 }) }), { maxLength: 12 }),
      async (calls) => {
        try {
          await runPlan([{ line: 1, name: 'disk', words: ['target', '0x5', '1000'] }, ...calls], made('uefi').machine);
        } catch (error) {
          expect(error).toBeInstanceOf(PlanFailure);
        }
      },
    ),
  );
});

test('a model has a disk that can be told from others', () => {
  for (let number = 0; number < 50; number += 1) expect(machineModel('x', number).disks[0]?.serial).toMatch(/^S\w+$/);
});
