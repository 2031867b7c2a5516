/** Partitions, and devices that are deleted. Pure. */
import { fail } from '../../contract/errors.ts';
import { groupNoun, withoutFilesystem } from './filesystems.ts';
import {
  devicesOf,
  filesystemAt,
  memberAt,
  partitionsOf,
  wrong,
  type Device,
  type Maker,
  type PartitionPlace,
  type Place,
  type Storage,
} from './model.ts';
import { alignDown, alignUp, alignment, freeOnDisk } from './sizes.ts';

/** A GPT has room for 128 (UEFI 2.10 §5.3.2); one is kept for what BIOS boots from. */
export const mostPartitions = 127;

export interface PartitionGiven {
  /** Left out: all that is free. */
  readonly size?: number;
  readonly uuid?: string;
  readonly bootable?: boolean;
  /** Left out: the first number that is free. */
  readonly number?: number;
}

function changedDevice(storage: Storage, device: Device): Storage {
  return { ...storage, devices: storage.devices.map((one) => (one.id === device.id ? { ...one, ...device } : one)) };
}

/** Add a partition, and the GPT that it needs; sizes are rounded up to whole alignments, or down where only that fits. @throws Failure `invalid`. */
export function addPartition(
  storage: Storage,
  device: Device,
  given: PartitionGiven,
  make: Maker,
): { readonly storage: Storage; readonly place: PartitionPlace } {
  const whole = { kind: 'device', device } as const;
  const member = memberAt(storage, whole);
  if (member)
    throw wrong(
      `Block device is part of ${groupNoun(storage.groups.find((one) => one.id === member.group_id))}, and cannot be partitioned.`,
    );
  if (filesystemAt(storage, whole)) throw wrong('Block device is formatted, and cannot be partitioned: unformat it first.');
  const group = storage.groups.find((one) => one.id === device.group_id);
  if (group?.type === 'lvm-vg') throw wrong('Cannot partition a logical volume.');
  if (group?.type === 'vmfs6') throw wrong('Cannot partition a VMFS datastore.');
  const free = freeOnDisk(storage, device);
  const asked = given.size ?? free;
  if (asked < alignment && given.size !== undefined) throw wrong(`Ensure this value is greater than or equal to ${alignment}.`, 'size');
  const size = alignUp(asked) <= free ? alignUp(asked) : alignDown(asked);
  if (size > free || size < alignment) throw wrong(`Not enough free space on block device ${device.name}: ${free} bytes are left.`, 'size');
  const numbers = new Set(partitionsOf(storage, device.id).map((one) => one.number));
  if (numbers.size >= mostPartitions) throw wrong(`Block device ${device.name} has ${numbers.size} partitions: its table takes no more.`);
  let number = given.number ?? 1;
  while (numbers.has(number)) number += 1;
  const partition = {
    id: make.id(),
    block_device_id: device.id,
    number,
    uuid: given.uuid ?? make.uuid(),
    size,
    bootable: given.bootable === true,
    tags: [],
  };
  const tabled: Device = { ...device, partition_table_type: device.partition_table_type ?? 'GPT' };
  return {
    storage: { ...changedDevice(storage, tabled), partitions: [...storage.partitions, partition] },
    place: { kind: 'partition', device: tabled, partition },
  };
}

/** Why a place cannot be deleted. @throws Failure `bad_request`. */
function refuseMember(storage: Storage, place: Place, what: string): void {
  const member = memberAt(storage, place);
  if (!member) return;
  const group = storage.groups.find((one) => one.id === member.group_id);
  throw fail('bad_request', { reason: `Cannot delete ${what} because it's part of ${groupNoun(group)}.` });
}

/** Delete a partition and what is on it; the last one takes the partition table with it. @throws Failure `bad_request`. */
export function deletePartition(storage: Storage, place: PartitionPlace): Storage {
  refuseMember(storage, place, 'partition');
  const bare = withoutShadow(withoutFilesystem(storage, place), (one) => one.partition_id === place.partition.id);
  const partitions = bare.partitions.filter((one) => one.id !== place.partition.id);
  const left = { ...bare, partitions };
  return partitionsOf(left, place.device.id).length > 0 ? left : changedDevice(left, { ...place.device, partition_table_type: null });
}

function withoutShadow(storage: Storage, isGone: (one: Storage['filesystems'][number]) => boolean): Storage {
  return { ...storage, shadowed: storage.shadowed.filter((one) => !isGone(one)) };
}

/**
 * Delete a device with its partitions and file systems. A logical volume goes back into its volume group; what another kind of group has made
 * goes with its group. @throws Failure `bad_request` when it, or a partition of it, belongs to a group.
 */
export function deleteDevice(storage: Storage, device: Device): Storage {
  refuseMember(storage, { kind: 'device', device }, 'block device');
  let left = storage;
  for (const partition of partitionsOf(storage, device.id)) {
    refuseMember(storage, { kind: 'partition', device, partition }, 'block device');
    left = deletePartition(left, { kind: 'partition', device, partition });
  }
  left = withoutShadow(withoutFilesystem(left, { kind: 'device', device }), (one) => one.block_device_id === device.id);
  const devices = left.devices.filter((one) => one.id !== device.id);
  const group = storage.groups.find((one) => one.id === device.group_id);
  const rest = { ...left, devices, bootDiskId: storage.bootDiskId === device.id ? null : storage.bootDiskId };
  return group === undefined || group.type === 'lvm-vg' ? rest : withoutGroup(rest, group.id);
}

/** Delete a group and the devices that it makes; its members are unused then. */
export function deleteGroup(storage: Storage, groupId: number): Storage {
  let left = storage;
  for (const device of devicesOf(storage, groupId)) left = deleteDevice(left, device);
  return withoutGroup(left, groupId);
}

function withoutGroup(storage: Storage, groupId: number): Storage {
  return {
    ...storage,
    groups: storage.groups.filter((one) => one.id !== groupId),
    members: storage.members.filter((one) => one.group_id !== groupId),
  };
}
