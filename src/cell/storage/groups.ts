/** What all groups have in common: names, members, and the devices that they make. Pure. */
import {
  deviceOf,
  devicesOf,
  idOf,
  isUnused,
  memberAt,
  reference,
  sizeOf,
  wrong,
  type Device,
  type Group,
  type Maker,
  type Member,
  type Place,
  type Storage,
} from './model.ts';
import { alignment, groupSize } from './sizes.ts';

/** Devices and partitions of a machine by their ids, as parameters name them. */
export interface Chosen {
  readonly devices: readonly number[];
  readonly partitions: readonly number[];
}

/** The places that parameters name, each once. `fields` says which parameters these are. @throws Failure `invalid`. */
export function placesOf(storage: Storage, chosen: Chosen, fields: { readonly devices: string; readonly partitions: string }): Place[] {
  const unknown = (id: number, field: string) => wrong(`Select a valid choice. ${id} is not one of the available choices.`, field);
  const devices = [...new Set(chosen.devices)].map((id): Place => {
    const device = storage.devices.find((one) => one.id === id);
    if (device === undefined) throw unknown(id, fields.devices);
    return { kind: 'device', device };
  });
  const partitions = [...new Set(chosen.partitions)].map((id): Place => {
    const partition = storage.partitions.find((one) => one.id === id);
    if (partition === undefined) throw unknown(id, fields.partitions);
    return { kind: 'partition', device: deviceOf(storage, partition.block_device_id), partition };
  });
  return [...devices, ...partitions];
}

/** Is what a place lies on made, however indirectly, of this group? Then it can be no member of it. */
function liesOn(storage: Storage, place: Place, groupId: number): boolean {
  const above = place.device.group_id;
  if (above === null) return false;
  if (above === groupId) return true;
  return storage.members.some((member) => {
    if (member.group_id !== above) return false;
    const device = storage.devices.find(
      (one) => one.id === (member.block_device_id ?? storage.partitions.find((part) => part.id === member.partition_id)?.block_device_id),
    );
    return device !== undefined && liesOn(storage, { kind: 'device', device }, groupId);
  });
}

/** Put unused places into a group. @throws Failure `invalid`. */
export function withMembers(
  storage: Storage,
  groupId: number,
  places: readonly Place[],
  make: Maker,
  field: string,
  role: Member['role'] = 'active',
): Storage {
  let left = storage;
  for (const place of places) {
    const fieldOf = place.kind === 'device' ? field : field.replace(/block_devices|devices/, 'partitions').replace('_device', '_partition');
    if (!isUnused(left, place))
      throw wrong(`Select a valid choice. ${idOf(place)} is in use: it has a file system or partitions, or belongs to a group.`, fieldOf);
    if (liesOn(left, place, groupId)) throw wrong(`${idOf(place)} is made of this group, and cannot belong to it.`, fieldOf);
    if (sizeOf(place) < alignment) throw wrong(`${idOf(place)} is too small.`, fieldOf);
    const member = { id: make.id(), group_id: groupId, ...reference(place), role, uuid: make.uuid() };
    left = { ...left, members: [...left.members, member] };
  }
  return left;
}

/** Take members out of a group again. @throws Failure `invalid` for what does not belong to it. */
export function withoutMembers(
  storage: Storage,
  groupId: number,
  places: readonly Place[],
  field: string,
  role: Member['role'] | 'any' = 'any',
): Storage {
  const gone = places.map((place) => {
    const member = memberAt(storage, place);
    if (member?.group_id !== groupId || (role !== 'any' && member.role !== role))
      throw wrong(`Select a valid choice. ${idOf(place)} is not one of the available choices.`, field);
    return member;
  });
  return { ...storage, members: storage.members.filter((one) => !gone.includes(one)) };
}

/** @throws Failure `invalid` when a device or group of the machine has the name. */
export function refuseTakenName(storage: Storage, name: string, but?: number): void {
  const isTaken =
    storage.groups.some((one) => one.name === name && one.id !== but) ||
    storage.devices.some((one) => one.name === name && (one.group_id === null || one.group_id !== but));
  if (isTaken) throw wrong(`A device or group named ${name} already exists on this machine.`, 'name');
}

/** The first of md0, md1, … that is free. */
export function freeName(storage: Storage, prefix: string): string {
  const names = new Set([...storage.groups, ...storage.devices].map((one) => one.name));
  let number = 0;
  while (names.has(`${prefix}${number}`)) number += 1;
  return `${prefix}${number}`;
}

export function addGroup(storage: Storage, group: Group): Storage {
  return { ...storage, groups: [...storage.groups, group] };
}

export function changeGroup(storage: Storage, group: Group): Storage {
  return { ...storage, groups: storage.groups.map((one) => (one.id === group.id ? group : one)) };
}

/** A device that a group makes. */
export function virtualDevice(group: Group, name: string, size: number, uuid: string, make: Maker): Device {
  const plain = { type: 'virtual', block_size: 512, tags: [], partition_table_type: null } as const;
  return { id: make.id(), name, uuid, group_id: group.id, size, ...plain };
}

/** The one device of a group as its members, name and UUID say. @throws Failure `invalid` when what is on it would not fit any more. */
export function refreshDevice(storage: Storage, group: Group, make: Maker): Storage {
  const size = groupSize(storage, group);
  const [old] = devicesOf(storage, group.id);
  if (old === undefined) {
    const device = virtualDevice(group, group.name, size, make.uuid(), make);
    return { ...storage, devices: [...storage.devices, device] };
  }
  const isUsed = !isUnused(storage, { kind: 'device', device: old });
  if (isUsed && size < old.size) throw wrong(`${group.name} would become too small for what is on it.`);
  const device: Device = { ...old, name: group.name, size };
  return { ...storage, devices: storage.devices.map((one) => (one.id === old.id ? device : one)) };
}

/** Another name or UUID for the one device of a group, which the group has as well. @throws Failure `invalid`. */
export function renameDevice(
  storage: Storage,
  group: Group,
  device: Device,
  given: { readonly name?: string; readonly uuid?: string },
  make: Maker,
): Storage {
  const after = { ...group, name: given.name ?? group.name };
  if (after.name !== group.name) refuseTakenName(storage, after.name, group.id);
  const devices = storage.devices.map((one) => (one.id === device.id ? { ...one, uuid: given.uuid ?? one.uuid } : one));
  return refreshDevice(changeGroup({ ...storage, devices }, after), after, make);
}
