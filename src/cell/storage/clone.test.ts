import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { createBcache, createCacheSet } from './caches.ts';
import { cloneStorage, rowsOf } from './clone.ts';
import { exampleStorage, maker } from './example-storage.ts';
import { format, mount, mountSpecial, ownCopy } from './filesystems.ts';
import { applyLayout } from './layouts.ts';
import { devicesOf, type Maker, type Place, type Storage } from './model.ts';
import { addPartition } from './partitions.ts';
import { createRaid } from './raids.ts';
import { repaired } from './repair.ts';
import { gibibyte, groupSize } from './sizes.ts';
import { createVolume, createVolumeGroup } from './volume-groups.ts';

type Pick = (count: number) => number;
type Step = (storage: Storage, pick: Pick, make: Maker) => Storage;

const none = { devices: [], partitions: [] };
const some = (storage: Storage, pick: Pick) => ({
  devices: storage.devices.filter(() => pick(3) === 0).map((one) => one.id),
  partitions: storage.partitions.filter(() => pick(2) === 0).map((one) => one.id),
});
const placeOf = (storage: Storage, pick: Pick): Place => {
  const device = storage.devices[pick(storage.devices.length)]!;
  const partition = storage.partitions.filter((one) => one.block_device_id === device.id)[0];
  return partition ? { kind: 'partition', device, partition } : { kind: 'device', device };
};

const steps: readonly Step[] = [
  (storage, pick, make) => applyLayout(storage, (['flat', 'lvm', 'bcache', 'vmfs6', 'blank'] as const)[pick(5)]!, {}, make),
  (storage, pick, make) =>
    addPartition(storage, storage.devices[pick(storage.devices.length)]!, { size: (1 + pick(30)) * gibibyte }, make).storage,
  (storage, pick, make) => createVolumeGroup(storage, { name: `vg${pick(2)}` }, some(storage, pick), make).storage,
  (storage, pick, make) => {
    const groups = storage.groups.filter((one) => one.type === 'lvm-vg');
    return groups[0] ? createVolume(storage, groups[0], { name: `lv${pick(3)}`, size: (1 + pick(9)) * gibibyte }, make).storage : storage;
  },
  (storage, pick, make) =>
    createRaid(storage, { type: (['raid-0', 'raid-1', 'raid-5'] as const)[pick(3)]! }, some(storage, pick), none, make).storage,
  (storage, pick, make) => createCacheSet(storage, { device: storage.devices[pick(storage.devices.length)]!.id }, make).storage,
  (storage, pick, make) => {
    const set = storage.groups.find((one) => one.type === 'cache-set');
    const backing = { device: storage.devices[pick(storage.devices.length)]!.id };
    return set ? createBcache(storage, { cacheSet: set.id, backing }, make).storage : storage;
  },
  (storage, pick, make) => format(storage, placeOf(storage, pick), { fstype: 'ext4', label: 'data' }, make),
  (storage, pick) => mount(storage, placeOf(storage, pick), { mount_point: `/m${pick(5)}`, mount_options: 'noatime' }),
  (storage, pick, make) => mountSpecial(storage, { fstype: 'tmpfs', mount_point: `/t${pick(3)}` }, make),
  (storage, _, make) => ownCopy(storage, make),
];

/** A storage after anything that may be done to it; what is refused is passed over. */
const anyStorage = fc
  .record({ disks: fc.integer({ min: 1, max: 5 }), draws: fc.array(fc.nat(), { minLength: 10, maxLength: 300 }) })
  .map(({ disks, draws }) => {
    const make = maker();
    let at = 0;
    const pick: Pick = (count) => draws[(at += 1) % draws.length]! % count;
    let storage: Storage = exampleStorage(disks);
    for (let n = 0; n < 25; n += 1) {
      try {
        storage = steps[pick(steps.length)]!(storage, pick, make);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    }
    return storage;
  });

/** Everything that a storage says, by names in the place of ids, and without UUIDs. */
function told(storage: Storage) {
  const device = new Map<number | null, string>(storage.devices.map((one) => [one.id, one.name]));
  const partition = new Map<number | null, string>(
    storage.partitions.map((one) => [one.id, `${device.get(one.block_device_id)}-part${one.number}`]),
  );
  const group = new Map<number | null, string>(storage.groups.map((one) => [one.id, `${one.type} ${one.name}`]));
  const at = (row: { readonly block_device_id: number | null; readonly partition_id: number | null }) =>
    device.get(row.block_device_id) ?? partition.get(row.partition_id) ?? 'nowhere';
  const plain = { id: 0, uuid: '' };
  return {
    devices: storage.devices.map((one) => {
      const { name, type, size, block_size, tags, partition_table_type } = one;
      return { name, type, size, block_size, tags, partition_table_type, of: group.get(one.group_id) };
    }),
    partitions: storage.partitions.map((one) => ({ ...one, ...plain, block_device_id: device.get(one.block_device_id) })),
    filesystems: storage.filesystems.map((one) => ({ ...one, ...plain, block_device_id: 0, partition_id: at(one), acquired: false })),
    groups: storage.groups.map((one) => ({ ...one, ...plain, cache_set_id: group.get(one.cache_set_id) })),
    members: storage.members.map((one) => ({
      ...one,
      ...plain,
      block_device_id: 0,
      partition_id: at(one),
      group_id: group.get(one.group_id),
    })),
    boot: device.get(storage.bootDiskId),
    layout: storage.layout,
  };
}

const later = (): Maker => {
  const make = maker();
  return { id: () => make.id() + 50_000, uuid: () => `9${make.uuid().slice(1)}` };
};
const cloned = (source: Storage, destination: Storage): Storage => {
  const made = cloneStorage(source, destination, later());
  if ('refused' in made) throw new Error(made.refused);
  return made.storage;
};
/** The same disks with other ids. */
const twin = (disks: number, size?: (n: number) => number): Storage => {
  const plain = exampleStorage(disks, size);
  return { ...plain, devices: plain.devices.map((one) => ({ ...one, id: one.id + 100 })), bootDiskId: 101 };
};
const disksIn = (storage: Storage) => storage.devices.filter((one) => one.type === 'physical').length;
const idsIn = (storage: Storage) =>
  (['devices', 'partitions', 'filesystems', 'groups', 'members'] as const).flatMap((part) => storage[part].map((one) => one.id));
const uuidsIn = (storage: Storage) =>
  (['partitions', 'filesystems', 'groups', 'members'] as const).flatMap((part) => storage[part].map((one) => one.uuid));

describe('a clone of any storage', () => {
  test('on the same disks says the same, with ids and UUIDs of its own', () => {
    fc.assert(
      fc.property(anyStorage, (source) => {
        const copy = cloned(source, twin(disksIn(source)));
        expect(told(copy)).toEqual(told(source));
        const ids = idsIn(copy);
        expect(new Set(ids).size).toBe(ids.length);
        expect(new Set([...uuidsIn(copy), ...uuidsIn(source)]).size).toBe(2 * uuidsIn(copy).length);
        const old = new Set(idsIn(source));
        expect(ids.filter((id) => old.has(id))).toEqual([]);
        expect(ids.length - disksIn(copy)).toBeLessThanOrEqual(rowsOf(source));
        expect([copy.own, copy.shadowed, copy.filesystems.filter((one) => one.acquired)]).toEqual([false, [], []]);
      }),
    );
  });

  test('over whatever was planned there says the same', () => {
    fc.assert(
      fc.property(anyStorage, anyStorage, (source, other) => {
        fc.pre(disksIn(source) === disksIn(other));
        expect(told(cloned(source, other))).toEqual(told(source));
      }),
    );
  });

  test('on larger disks is whole: groups are as large as their members make them, and everything has room', () => {
    fc.assert(
      fc.property(anyStorage, fc.integer({ min: 0, max: 3 }), (source, more) => {
        const copy = cloned(
          source,
          twin(disksIn(source) + more, (n) => (150 + n) * gibibyte),
        );
        expect(repaired(copy)).toEqual(copy);
        for (const group of copy.groups.filter((one) => one.type !== 'lvm-vg'))
          expect(devicesOf(copy, group.id).map((one) => one.size)).toEqual(devicesOf(copy, group.id).map(() => groupSize(copy, group)));
        const sizes = (storage: Storage) => storage.partitions.map((one) => one.size);
        expect(sizes(copy)).toEqual(sizes(source));
      }),
    );
  });
});

describe('disks', () => {
  const sized = (sizes: Readonly<Record<string, number>>, boot: string | null): Storage => {
    const plain = exampleStorage(1);
    const devices = Object.entries(sizes).map(([name, size], n) => ({ ...plain.devices[0]!, id: n + 1, name, size: size * gibibyte }));
    return { ...plain, devices, bootDiskId: devices.find((one) => one.name === boot)?.id ?? null };
  };
  const marked = (storage: Storage): Storage => {
    const make = maker();
    return storage.devices.reduce(
      (left, device) => format(left, { kind: 'device', device }, { fstype: 'ext4', label: device.name }, make),
      storage,
    );
  };

  test.each([
    ['names', { sda: 10, sdb: 20 }, 'sda', { sdb: 20, sda: 10 }, 'sda', { sda: 'sda', sdb: 'sdb' }],
    ['the boot disk, whatever it is called', { sda: 10, sdb: 10 }, 'sdb', { sda: 10, sdb: 10 }, 'sda', { sda: 'sdb', sdb: 'sda' }],
    ['sizes where names are others', { sda: 10, sdb: 30, sdc: 20 }, 'sda', { x: 10, y: 20, z: 30 }, 'x', { sda: 'x', sdb: 'z', sdc: 'y' }],
    [
      'sizes where names would leave one without',
      { a: 1, sda: 5, sdb: 10 },
      'a',
      { a: 1, sda: 10, sdb: 7 },
      'a',
      { a: 'a', sda: 'sdb', sdb: 'sda' },
    ],
    ['what there is, without a boot disk', { sda: 10 }, null, { sdz: 10 }, null, { sda: 'sdz' }],
  ] as const)('are matched by %s', (_, from, boot, onto, target, pairs) => {
    const copy = cloned(marked(sized(from, boot)), sized(onto, target));
    const names = copy.filesystems.map((one) => [one.label, copy.devices.find((disk) => disk.id === one.block_device_id)?.name]);
    expect(Object.fromEntries(names)).toEqual(pairs);
    expect(copy.bootDiskId).toBe(sized(onto, target).bootDiskId);
  });

  test('the boot disk of the source becomes that of a machine that has none', () => {
    expect(cloned(sized({ sda: 10, sdb: 20 }, 'sdb'), sized({ sda: 10, sdb: 20 }, null)).bootDiskId).toBe(2);
  });

  test.each([
    ['too few', { sda: 10, sdb: 10 }, { sda: 50 }, 'has fewer disks (1) than the source (2).'],
    [
      'a small boot disk',
      { sda: 10 },
      { sda: 9, sdb: 50 },
      /^has a boot disk \(sda, \d+ bytes\) that is smaller than the source's \(sda, \d+ bytes\)\.$/,
    ],
    ['too small', { sda: 10, sdb: 10 }, { sda: 10, sdb: 9 }, 'has no disk that is large enough for each of the source.'],
  ] as const)('%s are refused', (_, from, onto, refused) => {
    const made = cloneStorage(sized(from, 'sda'), sized(onto, 'sda'), later());
    expect(made).toEqual({ refused: typeof refused === 'string' ? refused : expect.stringMatching(refused) });
  });

  test('a disk that is called as a RAID of the source is refused', () => {
    const make = maker();
    const source = exampleStorage(3);
    const raid = createRaid(source, { type: 'raid-1', name: 'md0' }, { devices: [2, 3], partitions: [] }, none, make).storage;
    const other = twin(4);
    const devices = other.devices.map((one, n) => (n === 3 ? { ...one, name: 'md0' } : one));
    expect(cloneStorage(raid, { ...other, devices }, later())).toEqual({ refused: expect.stringContaining('md0') });
  });
});
