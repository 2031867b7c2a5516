/** LVM: volume groups and their logical volumes. Pure. */
import { fail } from '../../contract/errors.ts';
import { addGroup, changeGroup, placesOf, refuseTakenName, virtualDevice, withMembers, withoutMembers, type Chosen } from './groups.ts';
import { devicesOf, memberAt, filesystemAt, wrong, type Device, type Group, type Maker, type Storage } from './model.ts';
import { deleteDevice, deleteGroup } from './partitions.ts';
import { alignDown, alignment, alignUp, allocatedIn, groupSize } from './sizes.ts';

export interface GroupGiven {
  readonly name?: string;
  readonly uuid?: string;
}

export interface GroupChange extends GroupGiven {
  readonly add: Chosen;
  readonly remove: Chosen;
}

const fields = { devices: 'block_devices', partitions: 'partitions' };
const adds = { devices: 'add_block_devices', partitions: 'add_partitions' };
const removes = { devices: 'remove_block_devices', partitions: 'remove_partitions' };

interface Made {
  readonly storage: Storage;
  readonly group: Group;
}

/** @throws Failure `invalid`. */
export function createVolumeGroup(storage: Storage, given: GroupGiven & { readonly name: string }, chosen: Chosen, make: Maker): Made {
  refuseTakenName(storage, given.name);
  const places = placesOf(storage, chosen, fields);
  if (places.length === 0) throw wrong('At least one valid block device or partition is required.');
  const group: Group = {
    id: make.id(),
    type: 'lvm-vg',
    uuid: given.uuid ?? make.uuid(),
    name: given.name,
    cache_mode: null,
    cache_set_id: null,
  };
  return { storage: withMembers(addGroup(storage, group), group.id, places, make, fields.devices), group };
}

/** @throws Failure `invalid`. */
export function updateVolumeGroup(storage: Storage, group: Group, change: GroupChange, make: Maker): Storage {
  const after: Group = { ...group, name: change.name ?? group.name, uuid: change.uuid ?? group.uuid };
  if (after.name !== group.name) refuseTakenName(storage, after.name, group.id);
  let left = changeGroup(storage, after);
  // Volumes carry the name of their group.
  left = {
    ...left,
    devices: left.devices.map((one) => (one.group_id === group.id ? { ...one, name: `${after.name}-${volumeName(one, group)}` } : one)),
  };
  left = withoutMembers(left, group.id, placesOf(left, change.remove, removes), removes.devices);
  left = withMembers(left, group.id, placesOf(left, change.add, adds), make, adds.devices);
  if (!left.members.some((one) => one.group_id === group.id)) throw wrong('A volume group needs at least one block device or partition.');
  if (groupSize(left, after) < allocatedIn(left, after)) throw wrong('The volume group would become too small for its logical volumes.');
  return left;
}

/** @throws Failure `bad_request` while it has logical volumes. */
export function deleteVolumeGroup(storage: Storage, group: Group): Storage {
  if (devicesOf(storage, group.id).length > 0)
    throw fail('bad_request', { reason: 'This volume group has logical volumes; it cannot be deleted.' });
  return deleteGroup(storage, group.id);
}

/** The name of a logical volume without its group's. */
export function volumeName(device: Device, group: Group): string {
  return device.name.slice(group.name.length + 1);
}

export interface VolumeGiven extends GroupGiven {
  /** Left out: all that is free. */
  readonly size?: number;
}

function fitting(storage: Storage, group: Group, asked: number | undefined, taken: number): number {
  const free = groupSize(storage, group) - taken;
  const wanted = asked ?? free;
  if (asked !== undefined && asked < alignment) throw wrong(`Ensure this value is greater than or equal to ${alignment}.`, 'size');
  const size = alignUp(wanted) <= free ? alignUp(wanted) : alignDown(wanted);
  if (size > free || size < alignment) throw wrong(`Not enough free space in volume group ${group.name}: ${free} bytes are left.`, 'size');
  return size;
}

/** @throws Failure `invalid`. */
export function createVolume(
  storage: Storage,
  group: Group,
  given: VolumeGiven & { readonly name: string },
  make: Maker,
): { readonly storage: Storage; readonly device: Device } {
  const name = `${group.name}-${given.name}`;
  if (storage.devices.some((one) => one.name === name))
    throw wrong('A logical volume with this name already exists in the volume group.', 'name');
  const size = fitting(storage, group, given.size, allocatedIn(storage, group));
  const device = virtualDevice(group, name, size, given.uuid ?? make.uuid(), make);
  return { storage: { ...storage, devices: [...storage.devices, device] }, device };
}

/** @throws Failure `bad_request`. An id that is none of its volumes changes nothing. */
export function deleteVolume(storage: Storage, group: Group, id: number): Storage {
  const device = devicesOf(storage, group.id).find((one) => one.id === id);
  return device === undefined ? storage : deleteDevice(storage, device);
}

/** Rename a volume, give it another UUID or size. @throws Failure `invalid`. */
export function updateVolume(storage: Storage, group: Group, device: Device, given: VolumeGiven): Storage {
  const name =
    given.name === undefined
      ? device.name
      : `${group.name}-${given.name.startsWith(`${group.name}-`) ? given.name.slice(group.name.length + 1) : given.name}`;
  if (storage.devices.some((one) => one.name === name && one.id !== device.id))
    throw wrong('A logical volume with this name already exists in the volume group.', 'name');
  const size =
    given.size === undefined || given.size === device.size
      ? device.size
      : fitting(storage, group, given.size, allocatedIn(storage, group) - device.size);
  const place = { kind: 'device', device } as const;
  if (size < device.size && (memberAt(storage, place) || filesystemAt(storage, place)?.mount_point !== undefined))
    throw wrong('A logical volume in use cannot be made smaller.', 'size');
  const after = { name, uuid: given.uuid ?? device.uuid, size };
  return { ...storage, devices: storage.devices.map((one) => (one.id === device.id ? { ...one, ...after } : one)) };
}
