/**
 * What a deployment makes of a machine's storage: partition tables, file systems and mounts of its disks, or why it cannot. Pure. Only what
 * was planned is ever made, but for the first MiB behind the partition table of the boot disk, which holds GRUB and the deployment marker.
 */
import { createHash } from 'node:crypto';
import { groupNoun, mountedAt, specials } from './filesystems.ts';
import { partitionsOf, type Device, type Filesystem, type Place, type Storage } from './model.ts';
import { freeOnDisk, mebibyte } from './sizes.ts';

export interface TargetDisk {
  readonly id: number;
  readonly name: string;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly size: number;
}

/** What disks are made of: `partition` 0 is the whole disk. Volume ids of FAT are `XXXX-XXXX`. */
export interface InstalledFilesystem {
  readonly alias: string;
  readonly partition: number;
  readonly type: 'ext4' | 'ext2' | 'xfs' | 'vfat' | 'swap';
  readonly label: string;
  readonly uuid: string;
  readonly mount: { readonly path: string; readonly options: string | null } | null;
}

export interface InstalledDisk {
  /** `target` is the boot disk. */
  readonly alias: string;
  readonly disk: TargetDisk;
  /** Empty: the disk has no partition table. */
  readonly partitions: readonly {
    readonly number: number;
    readonly type: 'bios_grub' | 'esp' | 'root' | 'linux' | 'swap';
    readonly size: string;
  }[];
}

export interface Installation {
  /** The boot disk first. */
  readonly disks: readonly InstalledDisk[];
  readonly filesystems: readonly InstalledFilesystem[];
  /** tmpfs and ramfs. */
  readonly specials: readonly { readonly type: string; readonly path: string; readonly options: string | null }[];
}

/** The smallest boot disk: 512 MiB for the ESP and 1.5 GiB for a root file system. */
export const smallestDisk = 2 * 1024 ** 3;

/** What the agent finds a disk by: WWN before serial. */
export function identityOf(disk: Pick<TargetDisk, 'serial' | 'wwn'>): string | undefined {
  return disk.wwn || disk.serial || undefined;
}

/**
 * The disk that is installed where nobody has said how disks are to be used: the boot disk if it is named, else the first that is big enough.
 * Undefined when none can be told from the others by serial or WWN: disks are never named by /dev/sdX.
 */
export function chooseTarget(disks: readonly TargetDisk[], bootDiskId: number | null): TargetDisk | undefined {
  const named = disks.find((disk) => disk.id === bootDiskId);
  const target = named ?? disks.find((disk) => disk.size >= smallestDisk && identityOf(disk) !== undefined);
  return target && identityOf(target) !== undefined && target.size >= smallestDisk ? target : undefined;
}

const grubPartition = { number: 1, type: 'bios_grub', size: '1MiB' } as const;

/** The flat layout where none was planned: ESP and root on one disk, with UUIDs that are the same each time this operation is planned. */
export function flatInstallation(target: TargetDisk, operation: number): Installation {
  const hex = createHash('sha256').update(`${operation} ${target.id} 3`).digest('hex');
  const root = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
  const esp = ((operation * 31 + target.id) % 2 ** 32).toString(16).padStart(8, '0');
  return {
    disks: [
      {
        alias: 'target',
        disk: target,
        partitions: [grubPartition, { number: 2, type: 'esp', size: '512MiB' }, { number: 3, type: 'root', size: 'rest' }],
      },
    ],
    filesystems: [
      { alias: 'target', partition: 2, type: 'vfat', label: 'EFI', uuid: volumeId(esp), mount: { path: '/boot/efi', options: null } },
      { alias: 'target', partition: 3, type: 'ext4', label: 'root', uuid: root, mount: { path: '/', options: null } },
    ],
    specials: [],
  };
}

/** FAT has 32 bits of volume id, written `XXXX-XXXX`: the first of a UUID. */
function volumeId(uuid: string): string {
  const hex = uuid.slice(0, 8).toUpperCase();
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

const made: Readonly<Record<string, InstalledFilesystem['type']>> = {
  ext4: 'ext4',
  ext2: 'ext2',
  xfs: 'xfs',
  fat32: 'vfat',
  vfat: 'vfat',
  swap: 'swap',
};

/** What a system has to find on its root file system to start. */
const ofTheRoot = ['/etc', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/dev', '/proc', '/sys', '/run'];

/** A reason that people can act on. */
class Refusal extends Error {}

function refuse(text: string): never {
  throw new Refusal(text);
}

export type Installable = { readonly installation: Installation } | { readonly refused: string };

/** The installation of a machine whose storage was planned, or the first reason why it cannot be. `firmware`: what commissioning found. */
export function installationOf(storage: Storage<Device & TargetDisk>, firmware: '' | 'bios' | 'uefi'): Installable {
  try {
    return { installation: build(storage, firmware) };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message };
    throw error;
  }
}

function build(storage: Storage<Device & TargetDisk>, firmware: '' | 'bios' | 'uefi'): Installation {
  const [group] = storage.groups;
  if (group)
    refuse(`This machine cannot be deployed with ${groupNoun(group)}: only partitions and file systems on disks can be installed.`);
  const root = mountedAt(storage, '/');
  if (storage.devices.length === 0) refuse('Specify a storage device to be able to deploy this node.');
  if (!root) refuse("Mount the root '/' filesystem to be able to deploy this node.");
  const boot = bootDiskOf(storage, root.place);
  const used = storage.devices.filter((one) => one.id === boot.id || isUsed(storage, one));
  const ordered = [boot, ...used.filter((one) => one.id !== boot.id)];
  const disks = ordered.map((device, index) => installedDisk(storage, device, index));
  const filesystems = ordered.flatMap((device, index) => installedFilesystems(storage, device, index));
  judgeMounts(filesystems, firmware);
  return {
    disks,
    filesystems,
    specials: specialMounts(storage),
  };
}

/** tmpfs and ramfs, as they are mounted. */
export function specialMounts(storage: Storage): Installation['specials'] {
  return specials(storage).map((one) => ({ type: one.fstype, path: one.mount_point ?? '', options: one.mount_options }));
}

function isUsed(storage: Storage, device: Device): boolean {
  return device.partition_table_type !== null || storage.filesystems.some((one) => one.block_device_id === device.id);
}

/** GRUB is installed there, and finds what it starts on a partition of the same disk. */
function bootDiskOf(storage: Storage<Device & TargetDisk>, root: Place): Device & TargetDisk {
  const boot = storage.devices.find((one) => one.id === (storage.bootDiskId ?? root.device.id));
  if (!boot) refuse('Specify a boot disk to be able to deploy this node.');
  const holder = mountedAt(storage, '/boot')?.place ?? root;
  if (holder.device.id !== boot.id || holder.kind !== 'partition')
    refuse(`This machine starts from disk ${boot.name}: '/' or '/boot' must be on a partition of it.`);
  if (boot.size < smallestDisk) refuse(`Disk ${boot.name} is too small to start a system from: it needs ${smallestDisk} bytes.`);
  return boot;
}

function aliasOf(index: number): string {
  return index === 0 ? 'target' : `disk${index}`;
}

/** The boot disk's first partition is GRUB's own; the planned ones come behind it. */
function shift(index: number): number {
  return index === 0 ? 2 : 1;
}

function filesystemOn(storage: Storage, partitionId: number): Filesystem | undefined {
  return storage.filesystems.find((one) => one.partition_id === partitionId);
}

function partitionType(filesystem: Filesystem | undefined): InstalledDisk['partitions'][number]['type'] {
  if (filesystem?.mount_point === '/boot/efi') return 'esp';
  if (filesystem?.mount_point === '/') return 'root';
  return filesystem?.fstype === 'swap' ? 'swap' : 'linux';
}

function installedDisk(storage: Storage, device: Device & TargetDisk, index: number): InstalledDisk {
  if (identityOf(device) === undefined) refuse(`Disk ${device.name} has neither serial number nor WWN: it cannot be told from others.`);
  if (device.partition_table_type === 'MBR') refuse(`Disk ${device.name} has an MBR partition table; only GPT can be installed.`);
  const planned = partitionsOf(storage, device.id);
  const isFull = freeOnDisk(storage, device) === 0;
  const partitions = planned.map((one, at) => ({
    number: at + shift(index),
    type: partitionType(filesystemOn(storage, one.id)),
    size: isFull && at === planned.length - 1 ? 'rest' : `${Math.floor(one.size / mebibyte)}MiB`,
  }));
  const { id, name, serial, wwn, size } = device;
  return {
    alias: aliasOf(index),
    disk: { id, name, serial, wwn, size },
    partitions: index === 0 ? [grubPartition, ...partitions] : partitions,
  };
}

function installed(filesystem: Filesystem, alias: string, partition: number, size: number): InstalledFilesystem {
  const type = made[filesystem.fstype] ?? refuse(`A ${filesystem.fstype} file system cannot be installed.`);
  // mkfs.xfs refuses less.
  if (type === 'xfs' && size < 300 * mebibyte) refuse('An xfs file system needs 300 MiB.');
  const label =
    type === 'vfat'
      ? (filesystem.label ?? 'NO NAME').toUpperCase().slice(0, 11)
      : (filesystem.label ?? '-').slice(0, type === 'xfs' ? 12 : 16);
  const path = filesystem.mount_point;
  return {
    alias,
    partition,
    type,
    label,
    uuid: type === 'vfat' ? volumeId(filesystem.uuid) : filesystem.uuid.toLowerCase(),
    mount: path === null ? null : { path, options: filesystem.mount_options },
  };
}

function installedFilesystems(storage: Storage, device: Device, index: number): InstalledFilesystem[] {
  const whole = storage.filesystems
    .filter((one) => one.block_device_id === device.id)
    .map((one) => installed(one, aliasOf(index), 0, device.size));
  const parts = partitionsOf(storage, device.id).flatMap((one, at) => {
    const filesystem = filesystemOn(storage, one.id);
    return filesystem === undefined ? [] : [installed(filesystem, aliasOf(index), at + shift(index), one.size)];
  });
  return [...whole, ...parts];
}

function judgeMounts(filesystems: readonly InstalledFilesystem[], firmware: '' | 'bios' | 'uefi'): void {
  for (const { mount, type, alias } of filesystems) {
    if (mount === null) continue;
    if (ofTheRoot.some((path) => mount.path === path || mount.path.startsWith(`${path}/`)))
      refuse(`${mount.path} must be on the root file system.`);
    if ((mount.path === '/' || mount.path === '/boot') && type !== 'ext4' && type !== 'ext2') refuse(`${mount.path} must be ext4 or ext2.`);
    if (mount.path === '/boot/efi' && (type !== 'vfat' || alias !== 'target'))
      refuse('/boot/efi must be a FAT file system on the boot disk.');
  }
  const hasEsp = filesystems.some((one) => one.mount?.path === '/boot/efi' && one.partition > 0);
  if (!hasEsp && firmware !== 'bios')
    refuse('This machine may start by UEFI: mount a FAT file system (fat32) on a partition of its boot disk at /boot/efi.');
}
