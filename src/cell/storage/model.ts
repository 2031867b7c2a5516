/**
 * How the disks of one machine are used, as data: what every rule of this room takes and gives. The room is pure; it is read and saved by
 * `db/storage-store.ts`, shown by `api/storage-body.ts` and installed by `lifecycle/disk-plan.ts`. Sizes are bytes.
 */
import { fail, invalid } from '../../contract/errors.ts';

export const raidTypes = ['raid-0', 'raid-1', 'raid-5', 'raid-6', 'raid-10'] as const;
export type RaidType = (typeof raidTypes)[number];
export type GroupType = RaidType | 'lvm-vg' | 'bcache' | 'cache-set' | 'vmfs6';
export const cacheModes = ['writeback', 'writethrough', 'writearound'] as const;
export type CacheMode = (typeof cacheModes)[number];

/** A disk, or a device that a group makes (`type` virtual): a logical volume, RAID, bcache or datastore. */
export interface Device {
  readonly id: number;
  /** Of a logical volume: `VG-LV`. */
  readonly name: string;
  readonly type: 'physical' | 'virtual';
  readonly uuid: string | null;
  readonly group_id: number | null;
  readonly size: number;
  readonly block_size: number;
  readonly tags: readonly string[];
  readonly partition_table_type: 'GPT' | 'MBR' | null;
}

export interface Partition {
  readonly id: number;
  readonly block_device_id: number;
  /** Its place in the partition table, from 1. */
  readonly number: number;
  readonly uuid: string;
  readonly size: number;
  readonly bootable: boolean;
  readonly tags: readonly string[];
}

/** On a device, on a partition, or on neither: tmpfs and ramfs. */
export interface Filesystem {
  readonly id: number;
  readonly block_device_id: number | null;
  readonly partition_id: number | null;
  readonly fstype: string;
  readonly uuid: string;
  readonly label: string | null;
  readonly mount_point: string | null;
  readonly mount_options: string | null;
  readonly acquired: boolean;
}

export interface Group {
  readonly id: number;
  readonly type: GroupType;
  readonly uuid: string;
  readonly name: string;
  readonly cache_mode: CacheMode | null;
  readonly cache_set_id: number | null;
}

export interface Member {
  readonly id: number;
  readonly group_id: number;
  readonly block_device_id: number | null;
  readonly partition_id: number | null;
  readonly role: 'active' | 'spare';
  readonly uuid: string;
}

/** What is read of a machine in one piece. */
export interface StorageParts<D extends Device = Device> {
  readonly devices: readonly D[];
  readonly partitions: readonly Partition[];
  readonly filesystems: readonly Filesystem[];
  readonly groups: readonly Group[];
  readonly members: readonly Member[];
}

/** `filesystems` are those that count now; `shadowed` the admin's, while the owner of an allocated machine has own ones. */
export interface Storage<D extends Device = Device> extends StorageParts<D> {
  readonly shadowed: readonly Filesystem[];
  readonly bootDiskId: number | null;
  /** The layout that was applied last, or `custom`; null: nobody has said how the disks are to be used. */
  readonly layout: string | null;
  readonly own: boolean;
}

/** Where new rows get their ids and UUIDs from. */
export interface Maker {
  readonly id: () => number;
  readonly uuid: () => string;
}

export interface PartitionPlace {
  readonly kind: 'partition';
  readonly device: Device;
  readonly partition: Partition;
}

/** A device or a partition: what can hold a file system, or belong to a group. */
export type Place = { readonly kind: 'device'; readonly device: Device } | PartitionPlace;

export function storageOf<D extends Device>(
  parts: StorageParts<D>,
  machine: { readonly boot_disk_id: number | null; readonly storage_layout: string | null; readonly own_filesystems: boolean },
): Storage<D> {
  return {
    ...parts,
    filesystems: parts.filesystems.filter((one) => one.acquired === machine.own_filesystems),
    shadowed: parts.filesystems.filter((one) => one.acquired !== machine.own_filesystems),
    bootDiskId: machine.boot_disk_id,
    layout: machine.storage_layout,
    own: machine.own_filesystems,
  };
}

export function idOf(place: Place): number {
  return place.kind === 'device' ? place.device.id : place.partition.id;
}

export function sizeOf(place: Place): number {
  return place.kind === 'device' ? place.device.size : place.partition.size;
}

/** Columns that point to a place. */
export function reference(place: Place): Pick<Member, 'block_device_id' | 'partition_id'> {
  return place.kind === 'device'
    ? { block_device_id: place.device.id, partition_id: null }
    : { block_device_id: null, partition_id: place.partition.id };
}

function isAt(place: Place): (one: Pick<Member, 'block_device_id' | 'partition_id'>) => boolean {
  return (one) => (place.kind === 'device' ? one.block_device_id === place.device.id : one.partition_id === place.partition.id);
}

export function filesystemAt(storage: Pick<Storage, 'filesystems'>, place: Place): Filesystem | undefined {
  return storage.filesystems.find(isAt(place));
}

export function memberAt(storage: Pick<Storage, 'members'>, place: Place): Member | undefined {
  return storage.members.find(isAt(place));
}

export function partitionsOf(storage: Pick<Storage, 'partitions'>, deviceId: number): Partition[] {
  return storage.partitions.filter((one) => one.block_device_id === deviceId).toSorted((a, b) => a.number - b.number);
}

/** @throws Failure `not_found`. */
export function deviceOf<D extends Device>(storage: Pick<Storage<D>, 'devices'>, id: number): D {
  const device = storage.devices.find((one) => one.id === id);
  if (device === undefined) throw fail('not_found', { what: 'BlockDevice' });
  return device;
}

/** @throws Failure `not_found`. */
export function partitionOf(storage: Storage, deviceId: number, id: number): PartitionPlace {
  const device = deviceOf(storage, deviceId);
  const partition = storage.partitions.find((one) => one.id === id && one.block_device_id === deviceId);
  if (partition === undefined) throw fail('not_found', { what: 'Partition' });
  return { kind: 'partition', device, partition };
}

/** @throws Failure `not_found`. */
export function groupOf(storage: Storage, id: number, types: readonly GroupType[], what: string): Group {
  const group = storage.groups.find((one) => one.id === id && types.includes(one.type));
  if (group === undefined) throw fail('not_found', { what });
  return group;
}

/** The device that a row points to, and its partition. */
export function placeOf(storage: StorageParts, row: Pick<Member, 'block_device_id' | 'partition_id'>): Place | undefined {
  const partition = storage.partitions.find((one) => one.id === row.partition_id);
  const device = storage.devices.find((one) => one.id === (partition?.block_device_id ?? row.block_device_id));
  if (device === undefined) return undefined;
  return partition === undefined ? { kind: 'device', device } : { kind: 'partition', device, partition };
}

export function membersOf(storage: StorageParts, groupId: number): { readonly member: Member; readonly place: Place }[] {
  return storage.members.flatMap((member) => {
    const place = member.group_id === groupId ? placeOf(storage, member) : undefined;
    return place === undefined ? [] : [{ member, place }];
  });
}

export function devicesOf<D extends Device>(storage: Pick<Storage<D>, 'devices'>, groupId: number): D[] {
  return storage.devices.filter((one) => one.group_id === groupId);
}

/** A 400 about no field in particular, as MAAS's forms say it. */
export function wrong(text: string, field = '__all__'): Error {
  return invalid({ [field]: [text] });
}

/** Nothing is on it, and nothing is made of it. */
export function isUnused(storage: Storage, place: Place): boolean {
  return (
    filesystemAt(storage, place) === undefined &&
    memberAt(storage, place) === undefined &&
    (place.kind === 'partition' || place.device.partition_table_type === null)
  );
}
