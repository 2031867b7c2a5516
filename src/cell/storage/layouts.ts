/** The layouts that a machine's disks can be given as a whole: flat, lvm, bcache, vmfs6, vmfs7 and blank. Pure. */
import { fail } from '../../contract/errors.ts';
import { bytesOf } from '../../contract/resources/byte-size.ts';
import { createBcache, createCacheSet } from './caches.ts';
import { createDatastore } from './datastores.ts';
import { withFilesystem } from './filesystems.ts';
import { devicesOf, wrong, type CacheMode, type Device, type Maker, type PartitionPlace, type Place, type Storage } from './model.ts';
import { addPartition } from './partitions.ts';
import { alignment, freeOnDisk, gibibyte, groupSize, mebibyte } from './sizes.ts';
import { createVolume, createVolumeGroup } from './volume-groups.ts';

/** Sizes are bytes or shares (contract/resources/byte-size.ts). */
export interface LayoutGiven {
  readonly boot_size?: string;
  readonly root_size?: string;
  readonly root_device?: number;
  readonly vg_name?: string;
  readonly lv_name?: string;
  readonly lv_size?: string;
  readonly cache_device?: number;
  readonly cache_mode?: CacheMode;
  readonly cache_size?: string;
  readonly cache_no_part?: boolean;
}

const layoutNames = ['flat', 'lvm', 'bcache', 'vmfs6', 'vmfs7', 'custom', 'blank'] as const;
export type LayoutName = (typeof layoutNames)[number];

/** What a setting names; flat where it names none that is known here. */
export function layoutNamed(text: string): LayoutName {
  return layoutNames.find((one) => one === text) ?? 'flat';
}

const efiSize = 512 * mebibyte;
const leastBoot = 512 * mebibyte;
const leastRoot = 3 * gibibyte;

/** ESXi's own partitions as its images have them, MiB by number; the one of size 0 takes what is left and holds the datastore. */
const esxi = {
  vmfs6: { least: 10, partitions: { 1: 3, 2: 4096, 3: 0, 5: 249, 6: 249, 7: 109, 8: 285, 9: 2560 } },
  // The seventh has 25,662,832,128 bytes: no whole MiB.
  vmfs7: { least: 32, partitions: { 1: 100, 5: 4095, 6: 4095, 7: 25_662_832_128 / mebibyte, 8: 0 } },
} as const;

/** Nothing on any disk, and nothing made of them. */
export function blank(storage: Storage): Storage {
  const devices = storage.devices.filter((one) => one.type === 'physical').map((one) => ({ ...one, partition_table_type: null }));
  return { ...storage, devices, partitions: [], filesystems: [], shadowed: [], groups: [], members: [], own: false };
}

interface Sizes {
  readonly boot: number;
  readonly root: number | undefined;
}

/** A size that was asked for, within bounds. @throws Failure `invalid`. */
function bounded(given: string | undefined, field: string, whole: number, least: number, most: number): number | undefined {
  if (given === undefined) return undefined;
  const size = bytesOf(given, whole);
  if (size < least) throw wrong(`Size is too small. Minimum size is ${least}.`, field);
  if (size > most) throw wrong(`Size is too large. Maximum size is ${Math.max(0, most)}.`, field);
  return size;
}

function sizesOf(given: LayoutGiven, disk: Device): Sizes {
  const whole = disk.size - efiSize;
  const boot = given.boot_size === '0' ? 0 : bounded(given.boot_size, 'boot_size', whole, leastBoot, whole - leastRoot);
  const root = bounded(given.root_size, 'root_size', whole, leastRoot, whole - leastBoot);
  if (root !== undefined && efiSize + (boot ?? 0) + root > disk.size)
    throw wrong('Size of the boot partition and root partition are larger than the available space on the boot disk.');
  return { boot: boot ?? 0, root };
}

interface Basic {
  readonly storage: Storage;
  readonly root: PartitionPlace;
}

/** EFI partition, boot partition where one is asked for, and a partition for the root. */
function basic(storage: Storage, disk: Device, rootDisk: Device, { boot, root }: Sizes, make: Maker): Basic {
  const put = (left: Storage, size: number, label: string, fstype: string, mount_point: string): Storage => {
    const device = left.devices.find((one) => one.id === disk.id) ?? disk;
    const added = addPartition(left, device, { size, bootable: true }, make);
    return withFilesystem(added.storage, added.place, { fstype, uuid: make.uuid(), label, mount_point }, make);
  };
  // Both firmwares find what they boot: one disk works in either machine.
  let left = put(storage, efiSize, 'efi', 'fat32', '/boot/efi');
  if (boot > 0) left = put(left, boot, 'boot', 'ext4', '/boot');
  const target = left.devices.find((one) => one.id === rootDisk.id) ?? rootDisk;
  const added = addPartition(left, target, root === undefined ? {} : { size: root }, make);
  return { storage: added.storage, root: added.place };
}

function rooted(storage: Storage, place: Place, make: Maker): Storage {
  return withFilesystem(storage, place, { fstype: 'ext4', uuid: make.uuid(), label: 'root', mount_point: '/' }, make);
}

interface Disks {
  readonly boot: Device;
  readonly root: Device;
}

type Layout = (storage: Storage, disks: Disks, given: LayoutGiven, make: Maker) => Storage;

const flat: Layout = (storage, disks, given, make) => {
  const made = basic(storage, disks.boot, disks.root, sizesOf(given, disks.boot), make);
  return rooted(made.storage, made.root, make);
};

const lvm: Layout = (storage, disks, given, make) => {
  const sizes = sizesOf(given, disks.boot);
  const room = sizes.root ?? disks.boot.size - efiSize - sizes.boot;
  const asked = bounded(given.lv_size, 'lv_size', room, leastRoot, room);
  const made = basic(storage, disks.boot, disks.root, sizes, make);
  const partitions = [made.root.partition.id];
  const { storage: grouped, group } = createVolumeGroup(
    made.storage,
    { name: given.vg_name || 'vgroot' },
    { devices: [], partitions },
    make,
  );
  // All of the disk is a little less once LVM has its own share of it.
  const size = asked === undefined ? {} : { size: Math.min(asked, groupSize(grouped, group)) };
  const volume = createVolume(grouped, group, { name: given.lv_name || 'lvroot', ...size }, make);
  return rooted(volume.storage, { kind: 'device', device: volume.device }, make);
};

function cacheDisk(storage: Storage, disks: Disks, asked: number | undefined): Device | undefined {
  const others = storage.devices.filter((one) => one.id !== disks.boot.id && one.id !== disks.root.id);
  if (asked === undefined) return others.filter((one) => one.tags.includes('ssd')).toSorted((a, b) => a.size - b.size)[0];
  const found = others.find((one) => one.id === asked);
  if (found === undefined) throw wrong(`'${asked}' is not a valid cache_device. It should be one of: ${listed(others)}.`, 'cache_device');
  return found;
}

const bcache: Layout = (storage, disks, given, make) => {
  const whole = given.cache_no_part === true;
  if (whole && given.cache_size !== undefined) throw wrong('Cannot use cache_size and cache_no_part at the same time.', 'cache_size');
  const disk = cacheDisk(storage, disks, given.cache_device);
  if (disk === undefined)
    throw fail('bad_request', {
      reason: "Failed to configure storage layout 'bcache': Node doesn't have an available cache device to setup bcache.",
    });
  const size = bounded(given.cache_size, 'cache_size', disk.size, alignment, freeOnDisk(storage, disk));
  const sizes = sizesOf(given, disks.boot);
  const made = basic(storage, disks.boot, disks.root, { ...sizes, boot: sizes.boot || gibibyte }, make);
  let left = made.storage;
  let cache: { readonly device?: number; readonly partition?: number } = { device: disk.id };
  if (!whole) {
    const added = addPartition(left, disk, size === undefined ? {} : { size }, make);
    left = added.storage;
    cache = { partition: added.place.partition.id };
  }
  const set = createCacheSet(left, cache, make);
  const backing = { partition: made.root.partition.id };
  const mode = given.cache_mode === undefined ? {} : { cacheMode: given.cache_mode };
  const { storage: cached, group } = createBcache(set.storage, { cacheSet: set.group.id, backing, ...mode }, make);
  const [device] = devicesOf(cached, group.id);
  return device === undefined ? cached : rooted(cached, { kind: 'device', device }, make);
};

function vmware(name: keyof typeof esxi): Layout {
  return (storage, disks, given, make) => {
    const { least, partitions } = esxi[name];
    const disk = disks.root;
    if (disk.size < least * gibibyte) throw wrong(`Boot disk must be at least ${least}Gb.`, 'boot_size');
    const fixed = Object.values<number>(partitions).reduce((sum, one) => sum + one * mebibyte, 0);
    const room = freeOnDisk({ partitions: [] }, { ...disk, size: disk.size - fixed });
    const rest = bounded(given.root_size, 'root_size', disk.size - efiSize, alignment, room) ?? room;
    const made = Object.entries<number>(partitions).map(([number, size]) => ({
      id: make.id(),
      block_device_id: disk.id,
      number: Number(number),
      uuid: make.uuid(),
      size: size === 0 ? rest : size * mebibyte,
      bootable: number === '1',
      tags: [],
    }));
    const devices = storage.devices.map((one) => (one.id === disk.id ? { ...one, partition_table_type: 'GPT' as const } : one));
    const last = made.filter((one) => partitions[one.number as keyof typeof partitions] === 0).map((one) => one.id);
    const left = { ...storage, devices, partitions: [...storage.partitions, ...made] };
    return createDatastore(left, { name: 'datastore1' }, { devices: [], partitions: last }, make).storage;
  };
}

const custom: Layout = () => {
  throw fail('bad_request', {
    reason: "Failed to configure storage layout 'custom': No custom storage layout configuration found",
  });
};

const layouts: Readonly<Record<LayoutName, Layout>> = {
  flat,
  lvm,
  bcache,
  vmfs6: vmware('vmfs6'),
  vmfs7: vmware('vmfs7'),
  custom,
  blank: (storage) => storage,
};

function listed(devices: readonly Device[]): string {
  return devices.map((one) => `'${one.id}'`).join(', ');
}

/**
 * Everything that was there goes, and the layout is made anew.
 * @throws Failure `bad_request` where there is no boot disk or the layout cannot be made here, `invalid` for parameters.
 */
export function applyLayout(storage: Storage, name: LayoutName, given: LayoutGiven, make: Maker): Storage {
  const empty = blank(storage);
  const boot = empty.devices.find((one) => one.id === storage.bootDiskId) ?? empty.devices[0];
  if (boot === undefined) throw fail('bad_request', { reason: 'Machine is missing a boot disk; no storage layout can be applied.' });
  const asked = given.root_device;
  const root = asked === undefined ? boot : empty.devices.find((one) => one.id === asked);
  if (root === undefined)
    throw wrong(`'${asked}' is not a valid root_device. It should be one of: ${listed(empty.devices)}.`, 'root_device');
  return { ...layouts[name](empty, { boot, root }, given, make), layout: name };
}
