/** File systems: what may be made where, and mounted. Pure: each rule gives the storage as it is afterwards, or throws what is wrong with it. */
import { fail } from '../../contract/errors.ts';
import {
  filesystemAt,
  memberAt,
  placeOf,
  reference,
  wrong,
  type Filesystem,
  type Group,
  type Maker,
  type Member,
  type Place,
  type Storage,
} from './model.ts';

const nouns: Readonly<Record<Group['type'], string>> = {
  'lvm-vg': 'volume group',
  'raid-0': 'RAID',
  'raid-1': 'RAID',
  'raid-5': 'RAID',
  'raid-6': 'RAID',
  'raid-10': 'RAID',
  bcache: 'bcache',
  'cache-set': 'cache set',
  vmfs6: 'VMFS datastore',
};

/** `volume group vg0`. */
export function groupNoun(group: Group | undefined): string {
  return group === undefined ? 'group' : `${nouns[group.type]} ${group.name}`;
}

/** What a place's file system is called where it is a part of a group, as MAAS shows it. */
export function memberFormat(group: Group, member: Member): string {
  if (group.type === 'lvm-vg') return 'lvm-pv';
  if (group.type === 'bcache') return 'bcache-backing';
  if (group.type === 'cache-set') return 'bcache-cache';
  if (group.type === 'vmfs6') return 'vmfs6';
  return member.role === 'spare' ? 'raid-spare' : 'raid';
}

function noun(place: Place): string {
  return place.kind === 'device' ? 'Block device' : 'Partition';
}

function groupAround(storage: Storage, place: Place): Group | undefined {
  const member = memberAt(storage, place);
  return member && storage.groups.find((one) => one.id === member.group_id);
}

function replaced(storage: Storage, filesystem: Filesystem): Storage {
  return { ...storage, filesystems: storage.filesystems.map((one) => (one.id === filesystem.id ? filesystem : one)) };
}

export function withoutFilesystem(storage: Storage, place: Place): Storage {
  const gone = filesystemAt(storage, place);
  return gone ? { ...storage, filesystems: storage.filesystems.filter((one) => one !== gone) } : storage;
}

export function withFilesystem(
  storage: Storage,
  place: Place,
  given: Pick<Filesystem, 'fstype' | 'uuid' | 'label' | 'mount_point'>,
  make: Maker,
): Storage {
  const filesystem = { id: make.id(), ...reference(place), ...given, mount_options: null, acquired: storage.own };
  return { ...storage, filesystems: [...storage.filesystems, filesystem] };
}

/** The owner of an allocated machine works on a copy of the admin's file systems, which are back when it is released. */
export function ownCopy(storage: Storage, make: Maker): Storage {
  if (storage.own) return storage;
  const filesystems = storage.filesystems.map((one) => ({ ...one, id: make.id(), acquired: true }));
  return { ...storage, own: true, filesystems, shadowed: [...storage.shadowed, ...storage.filesystems] };
}

export interface FormatGiven {
  readonly fstype: string;
  readonly uuid?: string;
  readonly label?: string;
}

/** Make a file system in the place of the one that is there. @throws Failure `invalid`. */
export function format(storage: Storage, place: Place, given: FormatGiven, make: Maker): Storage {
  const group = groupAround(storage, place);
  if (group) throw wrong(`${noun(place)} is part of ${groupNoun(group)}, and cannot be formatted.`);
  if (place.kind === 'device' && place.device.partition_table_type !== null)
    throw wrong('Cannot format a block device that has a partition table: delete its partitions first.');
  if (place.kind === 'device' && storage.groups.some((one) => one.id === place.device.group_id && one.type === 'vmfs6'))
    throw wrong('A VMFS datastore has its own file system.');
  const old = filesystemAt(storage, place);
  if (old && old.mount_point !== null)
    throw wrong(`${noun(place)} is mounted at ${old.mount_point}, and cannot be formatted: unmount it first.`);
  const label = given.label === undefined || given.label === '' ? null : given.label;
  const filesystem = { fstype: given.fstype, uuid: given.uuid ?? make.uuid(), label, mount_point: null };
  return withFilesystem(withoutFilesystem(storage, place), place, filesystem, make);
}

/** @throws Failure `bad_request`. */
export function unformat(storage: Storage, place: Place): Storage {
  const group = groupAround(storage, place);
  const noun_ = groupNoun(group);
  if (group)
    throw fail('bad_request', {
      reason: `Filesystem is part of a ${noun_}, and cannot be unformatted. Remove ${noun(place).toLowerCase()} from ${noun_} before unformatting the ${noun(place).toLowerCase()}.`,
    });
  const filesystem = formatted(storage, place);
  if (filesystem.mount_point !== null)
    throw fail('bad_request', {
      reason: `Filesystem is mounted and cannot be unformatted. Unmount the filesystem before unformatting the ${noun(place).toLowerCase()}.`,
    });
  return withoutFilesystem(storage, place);
}

function formatted(storage: Storage, place: Place): Filesystem {
  const filesystem = filesystemAt(storage, place);
  if (filesystem === undefined) throw fail('bad_request', { reason: `${noun(place)} is not formatted.` });
  return filesystem;
}

export interface MountGiven {
  readonly mount_point?: string;
  readonly mount_options?: string;
}

/** An absolute path without steps up and down, spaces or double slashes. @throws Failure `invalid`. */
function pathOf(text: string | undefined): string {
  if (text === undefined || text === '') throw wrong('This field is required.', 'mount_point');
  if (!/^\/([^\s/\\]+(\/[^\s/\\]+)*)?$/.test(text) || text.split('/').some((part) => part === '..' || part === '.'))
    throw wrong('Enter an absolute path, without spaces, "." or "..", and without a slash at its end.', 'mount_point');
  return text;
}

function optionsOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  if (!/^[^\s#]+$/.test(text)) throw wrong('Mount options are separated by commas, without spaces.', 'mount_options');
  return text;
}

function refuseTaken(storage: Storage, path: string, but?: Filesystem): void {
  if (storage.filesystems.some((one) => one !== but && one.mount_point === path))
    throw wrong('Another filesystem is already mounted at this mount point.', 'mount_point');
}

/** Swap space is mounted at `none`. @throws Failure `invalid`. */
export function mount(storage: Storage, place: Place, given: MountGiven): Storage {
  if (groupAround(storage, place)) throw wrong('Filesystem is part of a filesystem group, and cannot be mounted.');
  const filesystem = filesystemAt(storage, place);
  if (filesystem === undefined) throw wrong('Cannot mount an unformatted partition or block device.');
  const mount_options = optionsOf(given.mount_options);
  if (filesystem.fstype === 'swap') return replaced(storage, { ...filesystem, mount_point: 'none', mount_options });
  const mount_point = pathOf(given.mount_point);
  refuseTaken(storage, mount_point, filesystem);
  return replaced(storage, { ...filesystem, mount_point, mount_options });
}

/** @throws Failure `bad_request`. */
export function unmount(storage: Storage, place: Place): Storage {
  const filesystem = formatted(storage, place);
  if (filesystem.mount_point === null) throw fail('bad_request', { reason: 'Filesystem is already unmounted.' });
  return replaced(storage, { ...filesystem, mount_point: null, mount_options: null });
}

/** tmpfs or ramfs at a path. @throws Failure `invalid`. */
export function mountSpecial(storage: Storage, given: MountGiven & { readonly fstype: string }, make: Maker): Storage {
  const mount_point = pathOf(given.mount_point);
  if (mount_point === '/') throw wrong('The root of a system is on a disk.', 'mount_point');
  refuseTaken(storage, mount_point);
  const filesystem = {
    id: make.id(),
    block_device_id: null,
    partition_id: null,
    fstype: given.fstype,
    uuid: make.uuid(),
    label: null,
    mount_point,
    mount_options: optionsOf(given.mount_options),
    acquired: storage.own,
  };
  return { ...storage, filesystems: [...storage.filesystems, filesystem] };
}

/** @throws Failure `invalid`. */
export function unmountSpecial(storage: Storage, mountPoint: string): Storage {
  const filesystem = specials(storage).find((one) => one.mount_point === mountPoint);
  if (filesystem === undefined) throw wrong('No special filesystem is mounted at this path.', 'mount_point');
  return { ...storage, filesystems: storage.filesystems.filter((one) => one !== filesystem) };
}

export function specials(storage: Storage): Filesystem[] {
  return storage.filesystems.filter((one) => one.block_device_id === null && one.partition_id === null);
}

/** What is mounted at a path, and where that is. */
export function mountedAt(storage: Storage, path: string): { readonly filesystem: Filesystem; readonly place: Place } | undefined {
  const filesystem = storage.filesystems.find((one) => one.mount_point === path);
  const place = filesystem && placeOf(storage, filesystem);
  return place && { filesystem, place };
}
