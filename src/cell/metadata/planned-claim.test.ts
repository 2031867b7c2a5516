/** What a claim is granted where somebody has planned the disks: that and nothing else, and every disk of it must be accounted for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootIdOf, image, keyOf, machineCell, type MachineCell } from '../../../test/machine-cell.ts';
import { lockStorage, saveStorage } from '../db/storage-store.ts';
import { format, mount, ownCopy } from '../storage/filesystems.ts';
import { applyLayout, blank } from '../storage/layouts.ts';
import type { Device, Maker, Storage } from '../storage/model.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

const size = 8 * 1024 ** 3;
const disks = [
  { name: 'vda', serial: 'disk-1', size },
  { name: 'vdb', serial: 'disk-2', size },
];
const seen = (serial: string, signatures = '') =>
  `name=x&serial=${serial}&wwn=&size=${size}&block_size=512&model=x&signatures=${signatures}&marker=`;
const both = [seen('disk-1'), seen('disk-2')];

/** Deploy a machine whose storage is what `rule` makes of it, and claim its disks. */
async function claim(rule: (storage: Storage, make: Maker) => Storage, lines: readonly string[]) {
  const machine = await cell.addMachine({ status: 10, owner: 'ann', disks, image });
  await cell.database.transaction(async (tx) => {
    const read = await lockStorage(tx, machine.systemId);
    if (read) await saveStorage(tx, machine.systemId, read.storage, rule(read.storage, read.make));
  });
  await cell.start(machine, 'deploy');
  await cell.settle();
  const boot = bootIdOf();
  const checkedIn = await cell.form('/MAAS/metadata/agent/check-in', [
    ['nonce', await cell.nonceOf(machine)],
    ['boot_id', boot],
    ['mac', machine.mac],
  ]);
  const fields = lines.map((line): [string, string] => ['disk', line]);
  return cell.form('/MAAS/metadata/agent/claim', [['boot_id', boot], ...fields], { key: keyOf(checkedIn.text) });
}

const second = (storage: Storage): Device => {
  const found = storage.devices.find((one) => one.name === 'vdb');
  if (!found) throw new Error('no vdb');
  return found;
};

/** Flat, and the owner has put a file system of her own on the second disk. */
function withData(storage: Storage, make: Maker): Storage {
  const own = ownCopy(applyLayout(storage, 'flat', {}, make), make);
  const place = { kind: 'device', device: second(own) } as const;
  return mount(format(own, place, { fstype: 'ext4', label: 'data' }, make), place, { mount_point: '/srv' });
}

test('both disks are in the plan, and nothing else', async () => {
  const { status, text } = await claim(withData, both);
  expect(status, text).toBe(200);
  expect(text.split('\n').filter((line) => /^(disk|gpt|mount_partition) /.test(line))).toEqual([
    `disk 'target' 'disk-1' '${size}'`,
    `disk 'disk1' 'disk-2' '${size}'`,
    "gpt 'target' '1:bios_grub:1MiB' '2:esp:512MiB' '3:root:rest'",
    "mount_partition 'target' '3' '/target'",
    "mount_partition 'disk1' '0' '/target/srv'",
    "mount_partition 'target' '2' '/target/boot/efi'",
  ]);
  expect(text).toMatch(/\nfilesystem 'disk1' '0' 'ext4' 'data' '[0-9a-f-]{36}'\n/);
});

test.each([
  ['a planned disk that is not there', withData, [seen('disk-1')], 'disk-2'],
  ['foreign data on the second disk', withData, [seen('disk-1'), seen('disk-2', 'xfs')], 'data (xfs)'],
  ['nothing to install', (storage: Storage) => ({ ...blank(storage), layout: 'blank' }), both, "Mount the root '/' filesystem"],
  ['what cannot be installed', (storage: Storage, make: Maker) => applyLayout(storage, 'lvm', {}, make), both, 'volume group vgroot'],
] as const)('%s is refused', async (_, rule, lines, why) => {
  const { status, text } = await claim(rule, lines);
  expect([status, text.includes(why) ? why : text]).toEqual([409, why]);
});

test('foreign data on a disk that nobody planned anything for is let be', async () => {
  const { status, text } = await claim((storage, make) => applyLayout(storage, 'flat', {}, make), [seen('disk-1'), seen('disk-2', 'xfs')]);
  expect(status, text).toBe(200);
  expect(text).not.toContain('disk-2');
});
