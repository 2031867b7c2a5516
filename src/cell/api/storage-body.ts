/** A machine's storage as the API shows it: its fields in the machine's body, and the bodies of groups. Pure. */
import type { Bcache, BcacheCacheSet } from '../../contract/resources/bcaches.ts';
import type { Raid } from '../../contract/resources/raids.ts';
import type { VmfsDatastore } from '../../contract/resources/vmfs-datastores.ts';
import type { VolumeGroup } from '../../contract/resources/volume-groups.ts';
import type { Body } from '../../contract/route.ts';
import type { MachineRow } from '../db/machine-read.ts';
import { specials } from '../storage/filesystems.ts';
import { devicesOf, raidTypes, type Group, type GroupType, type RaidType } from '../storage/model.ts';
import { allocatedIn, groupSize } from '../storage/sizes.ts';
import { blockDeviceBody, memberBody, storageView, type BlockDeviceBody, type StorageView } from './block-device-body.ts';
import type { MachineBody } from './machine-body.ts';
import { uri } from './network-body.ts';

type StorageFields = Pick<
  MachineBody,
  | 'storage'
  | 'boot_disk'
  | 'blockdevice_set'
  | 'physicalblockdevice_set'
  | 'virtualblockdevice_set'
  | 'volume_groups'
  | 'raids'
  | 'bcaches'
  | 'cache_sets'
  | 'special_filesystems'
>;

/** What a machine's body shows of its storage; groups are stubs there, as in MAAS. */
export function storageFields(row: MachineRow): StorageFields {
  const view = storageView(row);
  const devices = row.disks.map((one) => blockDeviceBody(view, one));
  const physical = devices.filter((one) => one.type === 'physical');
  const stubs = (types: readonly GroupType[]) =>
    row.groups.filter((one) => types.includes(one.type)).map((one) => ({ system_id: row.system_id, id: one.id, __incomplete__: true }));
  return {
    storage: physical.reduce((sum, one) => sum + one.size, 0) / 1e6,
    boot_disk: devices.find((one) => one.id === row.boot_disk_id) ?? null,
    blockdevice_set: devices,
    physicalblockdevice_set: physical,
    virtualblockdevice_set: devices.filter((one) => one.type === 'virtual'),
    volume_groups: stubs(['lvm-vg']),
    raids: stubs(raidTypes),
    bcaches: stubs(['bcache']),
    cache_sets: stubs(['cache-set']),
    special_filesystems: specials(view.storage).map(({ fstype, label, uuid, mount_point, mount_options }) => ({
      fstype,
      label,
      uuid,
      mount_point,
      mount_options,
    })),
  };
}

/** Decimal, with one place: `14.7 GB`. */
export function humanBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power] ?? ''}`;
}

function named(view: StorageView, group: Group, path: string) {
  const { id, uuid, name } = group;
  return { system_id: view.systemId, id, uuid, name, resource_uri: uri('nodes', view.systemId, path, id) };
}

function sized(view: StorageView, group: Group) {
  const size = groupSize(view.storage, group);
  return { size, human_size: humanBytes(size) };
}

function members(view: StorageView, group: Group, role?: 'active' | 'spare') {
  return view.storage.members
    .filter((one) => one.group_id === group.id && (role === undefined || one.role === role))
    .flatMap((one) => memberBody(view, one) ?? []);
}

/** The one device that a group makes, or the first of its members: a group that was read has both. */
function first<T>(list: readonly T[], group: Group): T {
  const [one] = list;
  if (one === undefined) throw new Error(`group ${group.id} has no device`);
  return one;
}

function virtualDevice(view: StorageView, group: Group): BlockDeviceBody {
  return blockDeviceBody(view, first(devicesOf(view.storage, group.id), group));
}

export function volumeGroupBody(view: StorageView, group: Group): Body<typeof VolumeGroup> {
  const { size, human_size } = sized(view, group);
  const used = allocatedIn(view.storage, group);
  return {
    ...named(view, group, 'volume-group'),
    devices: members(view, group),
    size,
    human_size,
    available_size: Math.max(0, size - used),
    human_available_size: humanBytes(Math.max(0, size - used)),
    used_size: used,
    human_used_size: humanBytes(used),
    logical_volumes: devicesOf(view.storage, group.id).map((one) => blockDeviceBody(view, one)),
  };
}

export function raidBody(view: StorageView, group: Group): Body<typeof Raid> {
  return {
    ...named(view, group, 'raid'),
    level: group.type as RaidType,
    devices: members(view, group, 'active'),
    spare_devices: members(view, group, 'spare'),
    ...sized(view, group),
    virtual_device: virtualDevice(view, group),
  };
}

export function cacheSetBody(view: StorageView, group: Group): Body<typeof BcacheCacheSet> {
  const { uuid: _, ...plain } = named(view, group, 'bcache-cache-set');
  return { ...plain, cache_device: first(members(view, group), group) };
}

export function bcacheBody(view: StorageView, group: Group): Body<typeof Bcache> {
  const set = first(
    view.storage.groups.filter((one) => one.id === group.cache_set_id),
    group,
  );
  return {
    ...named(view, group, 'bcache'),
    cache_set: cacheSetBody(view, set),
    backing_device: first(members(view, group), group),
    ...sized(view, group),
    virtual_device: virtualDevice(view, group),
    cache_mode: group.cache_mode ?? 'writethrough',
  };
}

export function datastoreBody(view: StorageView, group: Group): Body<typeof VmfsDatastore> {
  return {
    ...named(view, group, 'vmfs-datastore'),
    devices: members(view, group),
    ...sized(view, group),
    filesystem: { fstype: 'vmfs6', mount_point: `/vmfs/volumes/${group.name}` },
  };
}
