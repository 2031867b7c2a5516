/** VMFS datastores of VMware ESXi. Pure. */
import { addGroup, changeGroup, placesOf, refreshDevice, refuseTakenName, withMembers, withoutMembers, type Chosen } from './groups.ts';
import { devicesOf, filesystemAt, wrong, type Group, type Maker, type Place, type Storage } from './model.ts';
import { withFilesystem, withoutFilesystem } from './filesystems.ts';
import { addPartition } from './partitions.ts';
import type { GroupChange, GroupGiven } from './volume-groups.ts';

const fields = { devices: 'block_devices', partitions: 'partitions' };
const adds = { devices: 'add_block_devices', partitions: 'add_partitions' };
const removes = { devices: 'remove_block_devices', partitions: 'remove_partitions' };

/** A datastore lies on partitions: a whole disk gets one over all of it. */
function partitioned(storage: Storage, places: readonly Place[], make: Maker): { readonly storage: Storage; readonly places: Place[] } {
  let left = storage;
  const parts = places.map((place) => {
    if (place.kind === 'partition') return place;
    const added = addPartition(left, place.device, {}, make);
    left = added.storage;
    return added.place;
  });
  return { storage: left, places: parts };
}

/** The datastore's device, mounted where ESXi mounts it. */
function mounted(storage: Storage, group: Group, make: Maker): Storage {
  const made = refreshDevice(storage, group, make);
  const [device] = devicesOf(made, group.id);
  if (device === undefined) return made;
  const place = { kind: 'device', device } as const;
  const old = filesystemAt(made, place);
  const filesystem = { fstype: 'vmfs6', uuid: old?.uuid ?? make.uuid(), label: null, mount_point: `/vmfs/volumes/${group.name}` };
  return withFilesystem(withoutFilesystem(made, place), place, filesystem, make);
}

/** @throws Failure `invalid`. */
export function createDatastore(
  storage: Storage,
  given: GroupGiven & { readonly name: string },
  chosen: Chosen,
  make: Maker,
): { readonly storage: Storage; readonly group: Group } {
  refuseTakenName(storage, given.name);
  const group: Group = {
    id: make.id(),
    type: 'vmfs6',
    uuid: given.uuid ?? make.uuid(),
    name: given.name,
    cache_mode: null,
    cache_set_id: null,
  };
  const ready = partitioned(storage, placesOf(storage, chosen, fields), make);
  if (ready.places.length === 0) throw wrong('At least one valid block device or partition is required.');
  const left = withMembers(addGroup(ready.storage, group), group.id, ready.places, make, fields.devices);
  return { storage: mounted(left, group, make), group };
}

/** @throws Failure `invalid`. */
export function updateDatastore(storage: Storage, group: Group, change: GroupChange, make: Maker): Storage {
  const after: Group = { ...group, name: change.name ?? group.name, uuid: change.uuid ?? group.uuid };
  if (after.name !== group.name) refuseTakenName(storage, after.name, group.id);
  let left = changeGroup(storage, after);
  left = withoutMembers(left, group.id, placesOf(left, change.remove, removes), removes.partitions);
  const ready = partitioned(left, placesOf(left, change.add, adds), make);
  left = withMembers(ready.storage, group.id, ready.places, make, adds.devices);
  if (!left.members.some((one) => one.group_id === group.id)) throw wrong('A datastore needs at least one partition.');
  return mounted(left, after, make);
}
