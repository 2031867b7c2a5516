/** One machine's storage made on the disks of another. Pure. */
import { blank } from './layouts.ts';
import { devicesOf, type Device, type Filesystem, type Maker, type Member, type Storage } from './model.ts';
import { groupSize } from './sizes.ts';

export type Cloned = { readonly storage: Storage } | { readonly refused: string };

/** Rows that a clone of this storage makes at most: how many ids it takes. */
export function rowsOf(storage: Storage): number {
  const { devices, partitions, filesystems, groups, members } = storage;
  return devices.length + partitions.length + filesystems.length + groups.length + members.length;
}

const disksOf = (storage: Storage): Device[] => storage.devices.filter((one) => one.type === 'physical');

type Pairs = ReadonlyMap<number, Device>;

/** The largest first, each onto the smallest disk that holds it: finds a way whenever there is one. Undefined: there is none. */
function pairBySize(from: readonly Device[], onto: readonly Device[]): Pairs | undefined {
  const free = onto.toSorted((a, b) => a.size - b.size);
  const pairs = new Map<number, Device>();
  for (const disk of from.toSorted((a, b) => b.size - a.size)) {
    const at = free.findIndex((one) => one.size >= disk.size);
    const [taken] = at < 0 ? [] : free.splice(at, 1);
    if (taken === undefined) return undefined;
    pairs.set(disk.id, taken);
  }
  return pairs;
}

/** Disks of the same name are each other's where the rest has its place then as well. */
function pairByName(from: readonly Device[], onto: readonly Device[]): Pairs | undefined {
  const named = new Map(
    from.flatMap((disk): [number, Device][] => {
      const twin = onto.find((one) => one.name === disk.name && one.size >= disk.size);
      return twin === undefined ? [] : [[disk.id, twin]];
    }),
  );
  const taken = new Set(named.values());
  const rest = pairBySize(
    from.filter((one) => !named.has(one.id)),
    onto.filter((one) => !taken.has(one)),
  );
  return rest === undefined ? pairBySize(from, onto) : new Map([...named, ...rest]);
}

/** The disk of the destination for each of the source's, by its id; or why there is none. */
function pairDisks(source: Storage, destination: Storage): Pairs | string {
  const [from, onto] = [disksOf(source), disksOf(destination)];
  if (onto.length < from.length) return `has fewer disks (${onto.length}) than the source (${from.length}).`;
  const boot = from.find((one) => one.id === source.bootDiskId);
  const target = onto.find((one) => one.id === destination.bootDiskId);
  if (boot && target && target.size < boot.size)
    return `has a boot disk (${target.name}, ${target.size} bytes) that is smaller than the source's (${boot.name}, ${boot.size} bytes).`;
  const fixed: [number, Device][] = boot && target ? [[boot.id, target]] : [];
  const rest = pairByName(
    from.filter((one) => fixed.length === 0 || one !== boot),
    onto.filter((one) => fixed.length === 0 || one !== target),
  );
  return rest === undefined ? 'has no disk that is large enough for each of the source.' : new Map([...fixed, ...rest]);
}

/** Devices of groups as large as their members make them: those of the destination may be larger. Volumes keep their size. */
function resized(storage: Storage): Storage {
  let left = storage;
  // What is made of what others make comes into its size after them.
  for (const _ of storage.groups) {
    for (const group of storage.groups.filter((one) => one.type !== 'lvm-vg')) {
      if (devicesOf(left, group.id).length === 0) continue;
      const size = groupSize(left, group);
      left = { ...left, devices: left.devices.map((one) => (one.group_id === group.id ? { ...one, size } : one)) };
    }
  }
  return left;
}

/**
 * The storage of `destination` with what is planned on the disks of `source`: the same but for ids, UUIDs, and devices of groups that are
 * larger because the disks are. What the destination had planned is gone; disks that the source has no counterpart of are unused.
 */
export function cloneStorage(source: Storage, destination: Storage, make: Maker): Cloned {
  const pairs = pairDisks(source, destination);
  if (typeof pairs === 'string') return { refused: pairs };
  const ids = new Map<number | null, number>([...pairs].map(([id, disk]) => [id, disk.id]));
  const idFor = (id: number): number => {
    const known = ids.get(id) ?? make.id();
    ids.set(id, known);
    return known;
  };
  const onto = (id: number | null): number | null => (id === null ? null : idFor(id));
  const placed = <T extends Member | Filesystem>(row: T): T => ({
    ...row,
    id: make.id(),
    uuid: make.uuid(),
    block_device_id: onto(row.block_device_id),
    partition_id: onto(row.partition_id),
  });
  const tables = new Map([...pairs].map(([id, disk]) => [disk.id, source.devices.find((one) => one.id === id)?.partition_table_type]));
  const disks = blank(destination).devices.map((disk): Device => ({ ...disk, partition_table_type: tables.get(disk.id) ?? null }));
  const made = source.devices.filter((one) => one.type === 'virtual');
  const taken = made.find((one) => disks.some((disk) => disk.name === one.name));
  if (taken) return { refused: `has a disk that is called ${taken.name}, as a device of the source that is made of others.` };
  const devices = made.map((one): Device => {
    const { name, type, size, block_size, tags, partition_table_type } = one;
    const plain = { name, type, size, block_size, tags, partition_table_type };
    return { id: idFor(one.id), uuid: make.uuid(), group_id: onto(one.group_id), ...plain };
  });
  const storage: Storage = {
    devices: [...disks, ...devices],
    partitions: source.partitions.map((one) => ({
      ...one,
      id: idFor(one.id),
      uuid: make.uuid(),
      block_device_id: idFor(one.block_device_id),
    })),
    filesystems: source.filesystems.map((one) => ({ ...placed(one), acquired: false })),
    shadowed: [],
    groups: source.groups.map((one) => ({ ...one, id: idFor(one.id), uuid: make.uuid(), cache_set_id: onto(one.cache_set_id) })),
    members: source.members.map((one) => ({ ...placed(one), group_id: idFor(one.group_id) })),
    bootDiskId: destination.bootDiskId ?? ids.get(source.bootDiskId) ?? null,
    layout: source.layout,
    own: false,
  };
  return { storage: resized(storage) };
}
