/** bcache: cache sets, and slow devices with one in front of them. Pure. */
import { fail } from '../../contract/errors.ts';
import { addGroup, changeGroup, freeName, placesOf, refreshDevice, refuseTakenName, withMembers, withoutMembers } from './groups.ts';
import { membersOf, wrong, type CacheMode, type Group, type Maker, type Place, type Storage } from './model.ts';
import { deleteGroup } from './partitions.ts';
import type { GroupGiven } from './volume-groups.ts';

/** A device, or a partition: one of the two. */
export interface OneOf {
  readonly device?: number;
  readonly partition?: number;
}

type Prefix = 'cache' | 'backing';

/** @throws Failure `invalid` unless exactly one is named. */
function theOne(storage: Storage, given: OneOf, prefix: Prefix): Place {
  const fields = { devices: `${prefix}_device`, partitions: `${prefix}_partition` };
  if (given.device !== undefined && given.partition !== undefined)
    throw wrong(`Either ${fields.devices} or ${fields.partitions} must be given, not both.`);
  const chosen = {
    devices: given.device === undefined ? [] : [given.device],
    partitions: given.partition === undefined ? [] : [given.partition],
  };
  const [place] = placesOf(storage, chosen, fields);
  if (place === undefined) throw wrong(`Either ${fields.devices} or ${fields.partitions} must be specified.`);
  return place;
}

function isNamed(given: OneOf): boolean {
  return given.device !== undefined || given.partition !== undefined;
}

/** Put another member in the place of the one that a group has. */
function exchange(storage: Storage, group: Group, given: OneOf, prefix: Prefix, make: Maker): Storage {
  const place = theOne(storage, given, prefix);
  const [old] = membersOf(storage, group.id);
  if (
    old &&
    old.place.kind === place.kind &&
    (place.kind === 'device' ? given.device === old.place.device.id : old.member.partition_id === given.partition)
  )
    return storage;
  const bare = old ? withoutMembers(storage, group.id, [old.place], `${prefix}_device`) : storage;
  return withMembers(bare, group.id, [place], make, `${prefix}_device`);
}

interface Made {
  readonly storage: Storage;
  readonly group: Group;
}

/** @throws Failure `invalid`. */
export function createCacheSet(storage: Storage, given: OneOf, make: Maker): Made {
  const place = theOne(storage, given, 'cache');
  const plain = { type: 'cache-set', cache_mode: null, cache_set_id: null } as const;
  const group: Group = { id: make.id(), uuid: make.uuid(), name: freeName(storage, 'cache'), ...plain };
  return { storage: withMembers(addGroup(storage, group), group.id, [place], make, 'cache_device'), group };
}

/** @throws Failure `invalid`. */
export function updateCacheSet(storage: Storage, group: Group, given: OneOf, make: Maker): Storage {
  return isNamed(given) ? exchange(storage, group, given, 'cache', make) : storage;
}

/** @throws Failure `bad_request` while a bcache uses it. */
export function deleteCacheSet(storage: Storage, group: Group): Storage {
  if (storage.groups.some((one) => one.cache_set_id === group.id))
    throw fail('bad_request', { reason: "Cannot delete cache set; it's currently in use." });
  return deleteGroup(storage, group.id);
}

export interface BcacheGiven extends GroupGiven {
  readonly cacheSet?: number;
  readonly cacheMode?: CacheMode;
  readonly backing: OneOf;
}

function cacheSetOf(storage: Storage, id: number): number {
  if (!storage.groups.some((one) => one.id === id && one.type === 'cache-set'))
    throw wrong(`Select a valid choice. ${id} is not one of the available choices.`, 'cache_set');
  return id;
}

/** @throws Failure `invalid`. */
export function createBcache(storage: Storage, given: BcacheGiven, make: Maker): Made {
  const name = given.name ?? freeName(storage, 'bcache');
  refuseTakenName(storage, name);
  if (given.cacheSet === undefined) throw wrong('Bcache requires a cache_set.', 'cache_set');
  const group: Group = {
    id: make.id(),
    type: 'bcache',
    uuid: given.uuid ?? make.uuid(),
    name,
    cache_mode: given.cacheMode ?? 'writethrough',
    cache_set_id: cacheSetOf(storage, given.cacheSet),
  };
  const place = theOne(storage, given.backing, 'backing');
  const left = withMembers(addGroup(storage, group), group.id, [place], make, 'backing_device');
  return { storage: refreshDevice(left, group, make), group };
}

/** @throws Failure `invalid`. */
export function updateBcache(storage: Storage, group: Group, given: BcacheGiven, make: Maker): Storage {
  const after: Group = {
    ...group,
    name: given.name ?? group.name,
    uuid: given.uuid ?? group.uuid,
    cache_mode: given.cacheMode ?? group.cache_mode,
    cache_set_id: given.cacheSet === undefined ? group.cache_set_id : cacheSetOf(storage, given.cacheSet),
  };
  if (after.name !== group.name) refuseTakenName(storage, after.name, group.id);
  let left = changeGroup(storage, after);
  if (isNamed(given.backing)) left = exchange(left, after, given.backing, 'backing', make);
  return refreshDevice(left, after, make);
}
