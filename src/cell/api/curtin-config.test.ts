// What curtin would be told, from a machine's body and its storage.
import { expect, test } from 'vitest';
import type { Storage } from '../storage/model.ts';
import { curtinConfig } from './curtin-config.ts';
import type { MachineBody } from './machine-body.ts';

interface Config {
  readonly storage: { readonly version: number; readonly config: readonly Record<string, unknown>[] };
  readonly network: unknown;
}

/** Only what is read of it. */
const machine = {
  osystem: 'debian',
  distro_series: '12',
  swap_size: null,
  blockdevice_set: [
    { id: 1, name: 'sda', serial: 'S1', model: 'M', id_path: null },
    { id: 2, name: 'sdb', serial: '', model: null, id_path: '/dev/disk/by-id/x' },
  ],
} as unknown as MachineBody;

const device = { uuid: null, group_id: null, block_size: 512, tags: [], partition_table_type: null };
const filesystem = { block_device_id: null, partition_id: null, label: null, mount_point: null, mount_options: null, acquired: false };
const storage = {
  bootDiskId: 1,
  layout: 'custom',
  own: false,
  shadowed: [],
  devices: [
    { ...device, id: 9, name: 'vg0-data', type: 'virtual', group_id: 30, size: 500 },
    { ...device, id: 8, name: 'md0', type: 'virtual', group_id: 31, size: 400 },
    { ...device, id: 1, name: 'sda', type: 'physical', size: 1000, partition_table_type: 'GPT' },
    { ...device, id: 2, name: 'sdb', type: 'physical', size: 1000 },
  ],
  partitions: [
    { id: 11, block_device_id: 1, number: 1, uuid: 'p1', size: 300, bootable: true, tags: [] },
    { id: 12, block_device_id: 1, number: 2, uuid: 'p2', size: 400, bootable: false, tags: [] },
  ],
  filesystems: [
    { ...filesystem, id: 21, partition_id: 11, fstype: 'ext4', uuid: 'f1', label: 'root', mount_point: '/' },
    { ...filesystem, id: 22, block_device_id: 9, fstype: 'xfs', uuid: 'f2', mount_point: '/data', mount_options: 'noatime' },
    { ...filesystem, id: 23, fstype: 'tmpfs', uuid: 'f3', mount_point: '/tmp' },
  ],
  groups: [
    { id: 30, type: 'lvm-vg', uuid: 'g1', name: 'vg0', cache_mode: null, cache_set_id: null },
    { id: 31, type: 'raid-1', uuid: 'g2', name: 'md0', cache_mode: null, cache_set_id: null },
  ],
  members: [
    { id: 41, group_id: 30, block_device_id: 8, partition_id: null, role: 'active', uuid: 'm1' },
    { id: 42, group_id: 31, block_device_id: 2, partition_id: null, role: 'active', uuid: 'm2' },
    { id: 43, group_id: 31, block_device_id: null, partition_id: 12, role: 'active', uuid: 'm3' },
  ],
} as unknown as Storage;

const network = {
  version: 2,
  ethernets: { eth0: { match: { macaddress: '52:54:00:00:00:01' }, 'set-name': 'eth0', dhcp4: true } },
} as const;
const text = curtinConfig(machine, storage, network);
const config = JSON.parse(text) as Config;
const by = (list: readonly Record<string, unknown>[], id: string) => list.find((one) => one['id'] === id);

test('disks, partitions, groups, file systems and mounts', () => {
  const actions = config.storage.config;
  expect(by(actions, 'device-1')).toEqual({
    id: 'device-1',
    type: 'disk',
    name: 'sda',
    serial: 'S1',
    model: 'M',
    ptable: 'gpt',
    grub_device: true,
    wipe: 'superblock',
  });
  expect(by(actions, 'device-2')).toEqual({ id: 'device-2', type: 'disk', name: 'sdb', path: '/dev/disk/by-id/x' });
  expect(by(actions, 'partition-11')).toMatchObject({ device: 'device-1', number: 1, size: '300B', flag: 'boot', name: 'sda-part1' });
  expect(by(actions, 'device-8')).toMatchObject({ type: 'raid', raidlevel: 1, devices: ['device-2', 'partition-12'], spare_devices: [] });
  expect(by(actions, 'group-30')).toMatchObject({ type: 'lvm_volgroup', name: 'vg0', devices: ['device-8'] });
  expect(by(actions, 'device-9')).toMatchObject({ type: 'lvm_partition', name: 'data', volgroup: 'group-30', size: '500B' });
  expect(by(actions, 'format-22')).toEqual({ id: 'format-22', type: 'format', fstype: 'xfs', uuid: 'f2', volume: 'device-9' });
  expect(by(actions, 'mount-22')).toEqual({ id: 'mount-22', type: 'mount', path: '/data', device: 'format-22', options: 'noatime' });
  expect(by(actions, 'mount-23')).toEqual({ id: 'mount-23', type: 'mount', path: '/tmp', fstype: 'tmpfs', spec: 'tmpfs' });
});

test('each action comes behind all that it refers to', () => {
  const ids = config.storage.config.map((action) => String(action['id']));
  expect(new Set(ids).size).toBe(ids.length);
  for (const [index, action] of config.storage.config.entries()) {
    const refers = Object.entries(action)
      .filter(([key]) => key !== 'id')
      .flatMap(([, value]) => value)
      .filter((value) => ids.includes(String(value)));
    expect(refers.filter((id) => ids.indexOf(String(id)) >= index)).toEqual([]);
  }
});

test('the network is what the installed system is told, and nothing where it finds out by itself', () => {
  expect(config.network).toEqual(network);
  expect(JSON.parse(curtinConfig(machine, storage, undefined))).not.toHaveProperty('network');
});

test('the same machine gives the same text', () => {
  expect(curtinConfig(machine, storage, network)).toBe(text);
});
