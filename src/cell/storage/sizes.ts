/** How much room there is: on disks, in volume groups, in RAIDs. Pure; bytes. Numbers are MAAS's, so that clients' arithmetic holds. */
import { devicesOf, membersOf, partitionsOf, filesystemAt, memberAt, sizeOf, type Device, type Group, type Storage } from './model.ts';

export const mebibyte = 1024 ** 2;
export const gibibyte = 1024 ** 3;
/** Partitions and logical volumes are whole multiples of this, and none is smaller. */
export const alignment = 4 * mebibyte;
/** What a partition table takes at the start and at the end of its disk. */
export const tableRoom = 5 * mebibyte;
const raidOverhead = 128 * 1024;

export function alignDown(size: number): number {
  return Math.floor(size / alignment) * alignment;
}

export function alignUp(size: number): number {
  return Math.ceil(size / alignment) * alignment;
}

/** What is left on a disk for another partition: whole multiples of the alignment, never negative. */
export function freeOnDisk(storage: Pick<Storage, 'partitions'>, device: Device): number {
  const taken = partitionsOf(storage, device.id).reduce((sum, one) => sum + one.size, 0);
  return Math.max(0, alignDown(device.size - tableRoom - taken));
}

/** Bytes of a device that are in use, and that are not. */
export function usage(storage: Storage, device: Device): { readonly used: number; readonly available: number } {
  const place = { kind: 'device', device } as const;
  if (filesystemAt(storage, place) || memberAt(storage, place)) return { used: device.size, available: 0 };
  if (device.partition_table_type === null) return { used: 0, available: device.size };
  const taken = partitionsOf(storage, device.id).reduce((sum, one) => sum + one.size, 0);
  return { used: Math.min(device.size, taken + tableRoom), available: freeOnDisk(storage, device) };
}

/** What the active members of a RAID give together. */
function raidSize(type: Group['type'], sizes: readonly number[]): number {
  const smallest = Math.min(...sizes);
  const count = sizes.length;
  if (type === 'raid-0') return sizes.reduce((sum, one) => sum + one, 0) - raidOverhead * count;
  if (type === 'raid-1') return smallest - raidOverhead;
  if (type === 'raid-5') return smallest * (count - 1) - raidOverhead;
  if (type === 'raid-6') return smallest * (count - 2) - raidOverhead;
  return Math.floor((smallest * count) / 2) - raidOverhead;
}

/** The size of what a group makes of its members. */
export function groupSize(storage: Storage, group: Group): number {
  const members = membersOf(storage, group.id);
  const all = members.map(({ place }) => sizeOf(place));
  const total = all.reduce((sum, one) => sum + one, 0);
  if (group.type === 'lvm-vg') return all.length === 0 ? 0 : Math.max(0, alignDown(total) - all.length * alignment);
  if (group.type === 'bcache' || group.type === 'cache-set' || group.type === 'vmfs6') return total;
  const active = members.filter(({ member }) => member.role === 'active').map(({ place }) => sizeOf(place));
  // A spare must be able to take any member's place, so it counts among those that the smallest is sought of.
  const sizes = active.map((size) => (group.type === 'raid-0' ? size : Math.min(size, ...all)));
  return sizes.length === 0 ? 0 : Math.max(0, raidSize(group.type, sizes));
}

/** What the logical volumes of a volume group take. */
export function allocatedIn(storage: Storage, group: Group): number {
  return devicesOf(storage, group.id).reduce((sum, one) => sum + one.size, 0);
}
