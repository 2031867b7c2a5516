/** What commissioning makes of the storage of a machine, over a real database. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineCell, type MachineCell } from '../../../test/machine-cell.ts';
import { saveInventory, type FoundDisk } from '../db/inventory-store.ts';
import { lockStorage, saveStorage, storageToInstall } from '../db/storage-store.ts';
import { applyLayout } from '../storage/layouts.ts';
import { createRaid } from '../storage/raids.ts';
import type { Maker, Storage } from '../storage/model.ts';
import { layOut } from './lay-out.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

const disk = (name: string, more: Partial<FoundDisk> = {}): FoundDisk => ({
  name,
  model: null,
  serial: `serial-${name}`,
  wwn: null,
  id_path: null,
  size: 8_000_000_000,
  block_size: 512,
  rotational: false,
  ...more,
});

/** Commission a machine that has these disks, with or without skip_storage. */
async function commission(systemId: string, disks: readonly FoundDisk[], skip = false, layout: 'flat' | 'lvm' | 'bcache' = 'flat') {
  await cell.database.db
    .updateTable('operation')
    .set({ parameters: JSON.stringify({ skip_storage: skip }) })
    .where('system_id', '=', systemId)
    .execute();
  await cell.database.transaction(async (tx) => {
    const plain = { hardwareUuid: null, serial: null, cpuCount: 1, cpuSpeed: 1, memory: 1, hardwareInfo: {}, interfaces: [] };
    await saveInventory(tx, systemId, { architecture: 'amd64', firmware: 'uefi', ...plain, disks });
    await layOut(tx, systemId, layout);
  });
  return seen(systemId);
}

async function seen(systemId: string) {
  const read = await storageToInstall(cell.database.db, systemId);
  if (!read) throw new Error('gone');
  const { storage } = read;
  return {
    layout: storage.layout,
    devices: storage.devices.map((one) => one.name),
    mounts: storage.filesystems.map((one) => one.mount_point),
    groups: storage.groups.map((one) => one.name),
    ids: storage.partitions.map((one) => one.id),
  };
}

async function change(systemId: string, rule: (storage: Storage, make: Maker) => Storage): Promise<void> {
  await cell.database.transaction(async (tx) => {
    const read = await lockStorage(tx, systemId);
    if (read) await saveStorage(tx, systemId, read.storage, rule(read.storage, read.make));
  });
}

test('the default layout comes with the inventory, anew each time unless storage is skipped', async () => {
  const machine = await cell.addMachine({ status: 0 });
  await cell.start(machine, 'commission');
  const flat = { layout: 'flat', devices: ['sda', 'sdb'], mounts: ['/boot/efi', '/'], groups: [] };
  const first = await commission(machine.systemId, [disk('sda'), disk('sdb')]);
  expect(first).toMatchObject(flat);
  expect(await commission(machine.systemId, [disk('sda'), disk('sdb')], true)).toEqual(first);
  const again = await commission(machine.systemId, [disk('sda'), disk('sdb')]);
  expect(again).toMatchObject(flat);
  expect(again.ids).not.toEqual(first.ids);
  const lvm = await commission(machine.systemId, [disk('sda')], false, 'lvm');
  expect(lvm).toMatchObject({ layout: 'lvm', devices: ['sda', 'vgroot-lvroot'], groups: ['vgroot'] });
});

test('with skip_storage what was planned stays as far as its disks are still there', async () => {
  const machine = await cell.addMachine({ status: 0 });
  await cell.start(machine, 'commission');
  const disks = ['sda', 'sdb', 'sdc', 'sdd'].map((name) => disk(name));
  await commission(machine.systemId, disks);
  await change(machine.systemId, (storage, make) => {
    const named = (name: string) => storage.devices.find((one) => one.name === name)?.id ?? 0;
    const raid = { devices: [named('sdb'), named('sdc'), named('sdd')], partitions: [] };
    return createRaid(storage, { type: 'raid-5' }, raid, { devices: [], partitions: [] }, make).storage;
  });
  const whole = await commission(machine.systemId, disks, true);
  expect(whole).toMatchObject({ devices: ['md0', 'sda', 'sdb', 'sdc', 'sdd'], groups: ['md0'], mounts: ['/boot/efi', '/'] });
  const less = await commission(machine.systemId, disks.slice(0, 3), true);
  expect(less).toMatchObject({ devices: ['sda', 'sdb', 'sdc'], groups: [], mounts: ['/boot/efi', '/'], ids: whole.ids });
  // The boot disk was replaced: nothing is left of its partitions, and nothing else is put in their place.
  expect(await commission(machine.systemId, [disk('sda', { serial: 'new' })], true)).toMatchObject({ layout: 'flat', mounts: [] });
});

test('a machine without disks, or with one that is too small, has no layout that could be installed', async () => {
  const machine = await cell.addMachine({ status: 0 });
  await cell.start(machine, 'commission');
  expect(await commission(machine.systemId, [])).toMatchObject({ layout: null, mounts: [] });
  expect(await commission(machine.systemId, [disk('sda', { size: 10_000_000 })])).toMatchObject({ layout: 'flat', mounts: [] });
});

test('half a change is none', async () => {
  const machine = await cell.addMachine({ status: 4, disks: [{ name: 'vda', serial: 'd1', size: 8_000_000_000 }] });
  const before = await seen(machine.systemId);
  await expect(
    change(machine.systemId, (storage, make) => {
      const planned = applyLayout(storage, 'flat', {}, make);
      return { ...planned, partitions: planned.partitions.map((one) => ({ ...one, number: 1 })) };
    }),
  ).rejects.toThrow(/partition_block_device_id_number_key/);
  expect(await seen(machine.systemId)).toEqual(before);
});
