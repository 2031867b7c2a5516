/** Properties of all rules together: whatever is done in whatever order, sizes fit, nothing is used twice, and what was made can be unmade. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { createBcache, createCacheSet, deleteCacheSet } from './caches.ts';
import { createDatastore } from './datastores.ts';
import { exampleStorage, maker, type ExampleDevice } from './example-storage.ts';
import { format, mount, ownCopy, unformat, unmount } from './filesystems.ts';
import { applyLayout, blank } from './layouts.ts';
import { deviceOf, filesystemAt, memberAt, partitionsOf, type Maker, type Place, type Storage } from './model.ts';
import { addPartition, deleteDevice, deleteGroup, deletePartition } from './partitions.ts';
import { createRaid } from './raids.ts';
import { repaired, withDefaultLayout } from './repair.ts';
import { allocatedIn, alignment, gibibyte, groupSize, mebibyte, tableRoom, usage } from './sizes.ts';
import { createVolume, createVolumeGroup, deleteVolumeGroup } from './volume-groups.ts';

type Step = (storage: Storage, pick: (count: number) => number, make: Maker) => Storage;

function places(storage: Storage): Place[] {
  const devices = storage.devices.map((device): Place => ({ kind: 'device', device }));
  const parts = storage.partitions.map((partition): Place => ({
    kind: 'partition',
    device: deviceOf(storage, partition.block_device_id),
    partition,
  }));
  return [...devices, ...parts];
}

function onPlace(rule: (storage: Storage, place: Place, make: Maker) => Storage): Step {
  return (storage, pick, make) => {
    const all = places(storage);
    const place = all[pick(all.length)];
    return place ? rule(storage, place, make) : storage;
  };
}

/** Devices and partitions by a coin each. */
function chosen(storage: Storage, pick: (count: number) => number) {
  return {
    devices: storage.devices.filter(() => pick(3) === 0).map((one) => one.id),
    partitions: storage.partitions.filter(() => pick(2) === 0).map((one) => one.id),
  };
}

const none = { devices: [], partitions: [] };

const steps: readonly Step[] = [
  (storage, pick, make) => {
    const device = storage.devices[pick(storage.devices.length)];
    const size = [undefined, 1, 50 * mebibyte, 3 * gibibyte, 200 * gibibyte][pick(5)];
    return device ? addPartition(storage, device, size === undefined ? {} : { size }, make).storage : storage;
  },
  onPlace((storage, place, make) => format(storage, place, { fstype: 'ext4' }, make)),
  onPlace((storage, place) => mount(storage, place, { mount_point: `/m${place.device.id}` })),
  onPlace((storage, place) => unmount(storage, place)),
  onPlace((storage, place) => unformat(storage, place)),
  onPlace((storage, place) => (place.kind === 'partition' ? deletePartition(storage, place) : storage)),
  onPlace((storage, place) => (place.device.type === 'virtual' ? deleteDevice(storage, place.device) : storage)),
  (storage, pick, make) => createVolumeGroup(storage, { name: `vg${pick(3)}` }, chosen(storage, pick), make).storage,
  (storage, pick, make) => {
    const groups = storage.groups.filter((one) => one.type === 'lvm-vg');
    const group = groups[pick(groups.length)];
    return group ? createVolume(storage, group, { name: `lv${pick(3)}`, size: (pick(40) + 1) * gibibyte }, make).storage : storage;
  },
  (storage, pick, make) => {
    const type = (['raid-0', 'raid-1', 'raid-5', 'raid-6', 'raid-10'] as const)[pick(5)] ?? 'raid-1';
    return createRaid(storage, { type }, chosen(storage, pick), none, make).storage;
  },
  (storage, pick, make) => createDatastore(storage, { name: `ds${pick(2)}` }, chosen(storage, pick), make).storage,
  (storage, pick, make) => createCacheSet(storage, { device: storage.devices[pick(storage.devices.length)]?.id ?? 0 }, make).storage,
  (storage, pick, make) => {
    const set = storage.groups.find((one) => one.type === 'cache-set');
    const backing = { device: storage.devices[pick(storage.devices.length)]?.id ?? 0 };
    return set ? createBcache(storage, { cacheSet: set.id, backing }, make).storage : storage;
  },
  (storage, pick) => {
    const group = storage.groups[pick(storage.groups.length)];
    if (!group) return storage;
    if (group.type === 'lvm-vg') return deleteVolumeGroup(storage, group);
    return group.type === 'cache-set' ? deleteCacheSet(storage, group) : deleteGroup(storage, group.id);
  },
];

/** What is refused changes nothing; any other error is a bug. */
function take(step: Step, storage: Storage, pick: (count: number) => number, make: Maker): Storage {
  try {
    return step(storage, pick, make);
  } catch (error) {
    if (error instanceof Failure) return storage;
    throw error;
  }
}

function check(storage: Storage): void {
  for (const device of storage.devices) {
    const parts = partitionsOf(storage, device.id);
    const sum = parts.reduce((total, one) => total + one.size, 0);
    if (parts.length > 0) expect(sum + tableRoom).toBeLessThanOrEqual(device.size);
    expect(new Set(parts.map((one) => one.number)).size).toBe(parts.length);
    for (const one of parts) expect(one.size % alignment).toBe(0);
    const { used, available } = usage(storage, device);
    expect(used).toBeGreaterThanOrEqual(0);
    expect(used + available).toBeLessThanOrEqual(device.size);
    expect(device.partition_table_type !== null).toBe(parts.length > 0);
    expect(device.type === 'virtual').toBe(storage.groups.some((one) => one.id === device.group_id));
  }
  for (const group of storage.groups) {
    const size = groupSize(storage, group);
    if (group.type === 'lvm-vg') expect(allocatedIn(storage, group)).toBeLessThanOrEqual(size);
    else for (const device of storage.devices.filter((one) => one.group_id === group.id)) expect(device.size).toBe(size);
    expect(storage.members.some((one) => one.group_id === group.id)).toBe(true);
  }
  for (const place of places(storage)) {
    const uses = [
      filesystemAt(storage, place) !== undefined,
      memberAt(storage, place) !== undefined,
      place.kind === 'device' && place.device.partition_table_type !== null,
    ];
    expect(uses.filter(Boolean).length).toBeLessThanOrEqual(1);
  }
  const paths = storage.filesystems.flatMap((one) => one.mount_point ?? []);
  expect(new Set(paths).size).toBe(paths.length);
  const ids = [storage.devices, storage.partitions, storage.filesystems, storage.groups, storage.members].map((list) =>
    list.map((one) => one.id),
  );
  for (const list of ids) expect(new Set(list).size).toBe(list.length);
  const known = new Set(ids.flat());
  for (const one of [...storage.filesystems, ...storage.members]) {
    for (const id of [one.block_device_id, one.partition_id]) expect(id === null || known.has(id)).toBe(true);
  }
}

const walk = fc.array(fc.tuple(fc.nat(steps.length - 1), fc.infiniteStream(fc.nat(1000))), { maxLength: 25 });

test('whatever is asked in whatever order: everything fits, and nothing is used twice', () => {
  fc.assert(
    fc.property(walk, (asked) => {
      const make = maker();
      let storage: Storage = exampleStorage(4, (n) => (20 + n) * gibibyte);
      for (const [number, draws] of asked) {
        const pick = (count: number) => (count === 0 ? 0 : (draws.next().value ?? 0) % count);
        const step = steps[number];
        if (step) storage = take(step, storage, pick, make);
        check(storage);
      }
      expect(repaired(storage)).toEqual(storage);
      // A disk is gone: what was made of it goes, the rest stands.
      const [gone] = storage.devices.filter((one) => one.type === 'physical');
      const parts = new Set(partitionsOf(storage, gone?.id ?? 0).map((one) => one.id));
      const isOn = (one: { readonly block_device_id: number | null; readonly partition_id: number | null }) =>
        one.block_device_id === gone?.id || parts.has(one.partition_id ?? -1);
      check(
        repaired({
          ...storage,
          devices: storage.devices.filter((one) => one !== gone),
          partitions: storage.partitions.filter((one) => !parts.has(one.id)),
          filesystems: storage.filesystems.filter((one) => !isOn(one)),
          members: storage.members.filter((one) => !isOn(one)),
        }),
      );
      check(ownCopy(storage, make));
    }),
    { numRuns: 150 },
  );
});

test('deleting what was made leaves what was there', () => {
  fc.assert(
    fc.property(fc.constantFrom('flat', 'lvm', 'bcache', 'vmfs6', 'vmfs7'), fc.integer({ min: 33, max: 5000 }), (name, size) => {
      const before: Storage = exampleStorage(2, () => size * gibibyte + 12_345);
      let storage = applyLayout(before, name, {}, maker());
      if (!name.startsWith('vmfs')) check(storage);
      for (const type of ['bcache', 'cache-set', 'vmfs6'] as const)
        for (const group of storage.groups.filter((one) => one.type === type)) storage = deleteGroup(storage, group.id);
      for (const device of storage.devices.filter((one) => one.type === 'virtual')) storage = deleteDevice(storage, device);
      for (const group of storage.groups) storage = deleteVolumeGroup(storage, group);
      for (const partition of storage.partitions)
        storage = deletePartition(storage, { kind: 'partition', device: deviceOf(storage, partition.block_device_id), partition });
      expect({ ...storage, layout: null }).toEqual(before);
      expect(blank(applyLayout(before, name, {}, maker()))).toEqual({ ...before, layout: name });
    }),
    { numRuns: 50 },
  );
});

test.each([
  ['flat', 1, 'flat', 2],
  ['bcache', 1, 'flat', 2],
  ['bcache', 2, 'bcache', 4],
  ['custom', 1, 'custom', 0],
  ['flat', 0, null, 0],
] as const)('after commissioning: %s on %i disks is %s', (name, disks, layout, partitions) => {
  const storage: Storage<ExampleDevice> | Storage = withDefaultLayout(exampleStorage(disks), name, maker());
  expect([storage.layout, storage.partitions.length]).toEqual([layout, partitions]);
});

test('a disk that is too small for the default layout has none, rather than another', () => {
  const storage = withDefaultLayout(
    exampleStorage(1, () => 300 * mebibyte),
    'flat',
    maker(),
  );
  expect([storage.layout, storage.partitions]).toEqual(['flat', []]);
});
