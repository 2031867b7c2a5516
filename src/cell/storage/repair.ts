/** What becomes of a machine's storage when commissioning finds other disks, and its default layout. Pure. */
import { Failure } from '../../contract/errors.ts';
import { applyLayout, blank, type LayoutName } from './layouts.ts';
import { devicesOf, membersOf, partitionsOf, type Group, type Maker, type Storage } from './model.ts';
import { allocatedIn, groupSize } from './sizes.ts';

const least: Readonly<Partial<Record<Group['type'], number>>> = { 'raid-0': 2, 'raid-1': 2, 'raid-5': 3, 'raid-6': 4, 'raid-10': 3 };

/** Has a group lost what it was made of? */
function isBroken(storage: Storage, group: Group): boolean {
  const active = membersOf(storage, group.id).filter(({ member }) => member.role === 'active').length;
  if (active < (least[group.type] ?? 1)) return true;
  if (group.type === 'bcache' && !storage.groups.some((one) => one.id === group.cache_set_id)) return true;
  if (group.type === 'lvm-vg') return groupSize(storage, group) < allocatedIn(storage, group);
  // What lies on it was planned for the size it had.
  return devicesOf(storage, group.id).some((one) => one.size !== groupSize(storage, group));
}

/** Without a group, what it makes, and what lies on that; what else was made of it is broken then. */
function without(storage: Storage, group: Group): Storage {
  const devices = new Set(devicesOf(storage, group.id).map((one) => one.id));
  const parts = new Set([...devices].flatMap((id) => partitionsOf(storage, id).map((one) => one.id)));
  const isOn = (one: { readonly block_device_id: number | null; readonly partition_id: number | null }) =>
    devices.has(one.block_device_id ?? -1) || parts.has(one.partition_id ?? -1);
  return {
    ...storage,
    devices: storage.devices.filter((one) => !devices.has(one.id)),
    partitions: storage.partitions.filter((one) => !parts.has(one.id)),
    filesystems: storage.filesystems.filter((one) => !isOn(one)),
    shadowed: storage.shadowed.filter((one) => !isOn(one)),
    groups: storage.groups.filter((one) => one.id !== group.id),
    members: storage.members.filter((one) => one.group_id !== group.id && !isOn(one)),
  };
}

/** Without the groups whose disks are gone. */
export function repaired(storage: Storage): Storage {
  const broken = storage.groups.find((one) => isBroken(storage, one));
  return broken === undefined ? storage : repaired(without(storage, broken));
}

/**
 * The layout after commissioning. One that cannot be made on these disks leaves them without any: nothing is installed that nobody asked
 * for. bcache without an SSD is flat, as in MAAS.
 */
export function withDefaultLayout(storage: Storage, name: LayoutName, make: Maker): Storage {
  if (!storage.devices.some((one) => one.type === 'physical')) return { ...blank(storage), layout: null };
  try {
    return applyLayout(storage, name, {}, make);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return name === 'bcache' ? withDefaultLayout(storage, 'flat', make) : { ...blank(storage), layout: name };
  }
}
