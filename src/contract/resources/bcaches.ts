/** bcache: fast devices that cache (cache sets), and slow devices with one in front of them. Planned and shown; our own image boots from none. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, resource } from '../route.ts';
import { BlockDevice } from './block-devices.ts';
import { Id, Nothing, oneOf, Uuid } from './field.ts';
import { adminErrors, DeviceName, human, Member, uuid } from './storage.ts';

export const BcacheCacheSet = Type.Object({
  system_id: Type.String(),
  id: Id,
  name: Type.String(),
  cache_device: Member,
  resource_uri: Type.String(),
});

const CacheMode = oneOf('writeback', 'writethrough', 'writearound');

export const Bcache = Type.Object({
  system_id: Type.String(),
  id: Id,
  uuid: Type.String(),
  name: Type.String(),
  cache_set: BcacheCacheSet,
  backing_device: Member,
  /** Bytes. */
  size: Type.Integer({ minimum: 0 }),
  human_size: human,
  virtual_device: BlockDevice,
  cache_mode: CacheMode,
  resource_uri: Type.String(),
});

const change = { errors: adminErrors, policy: 'admin', reach: 'id' } as const;
const reading = { errors: ['not_found'], policy: 'user', reach: 'id' } as const;
const removal = { reply: Nothing, status: 204, type: 'none', ...change } as const;

const cacheParams = {
  cache_device: optional(Id, 'The id of an unused device; either this or cache_partition.'),
  cache_partition: optional(Id, 'The id of an unused partition.'),
};

const backing = {
  cache_set: optional(Id, 'The id of its cache set.'),
  backing_device: optional(Id, 'The id of an unused device; either this or backing_partition.'),
  backing_partition: optional(Id, 'The id of an unused partition.'),
  cache_mode: optional(CacheMode, 'How it caches; writethrough when nothing was ever said.'),
};

export const bcaches = {
  ...resource('BcacheCacheSets', 'nodes/{system_id}/bcache-cache-sets/', 'The bcache cache sets of one machine.', {
    read: get({ doc: 'List the cache sets of a machine.', reply: Type.Array(BcacheCacheSet), ...reading }),
    create: post({ doc: 'Plan a cache set on one device or partition.', params: cacheParams, reply: BcacheCacheSet, ...change }),
  }),
  ...resource('BcacheCacheSet', 'nodes/{system_id}/bcache-cache-set/{id}/', 'One bcache cache set.', {
    read: get({ doc: 'Read a cache set.', reply: BcacheCacheSet, ...reading }),
    update: put({ doc: 'Put a cache set on another device or partition.', params: cacheParams, reply: BcacheCacheSet, ...change }),
    delete: remove({ doc: 'Delete a cache set that no bcache uses.', ...removal }),
  }),
  ...resource('Bcaches', 'nodes/{system_id}/bcaches/', 'The bcaches of one machine.', {
    read: get({ doc: 'List the bcaches of a machine.', reply: Type.Array(Bcache), ...reading }),
    create: post({
      doc: 'Plan a bcache.\n\nNeeds a cache set, and one backing device or partition.',
      params: { name: optional(DeviceName, 'The name of its device; the next bcacheN when left out.'), uuid, ...backing },
      reply: Bcache,
      ...change,
    }),
  }),
  ...resource('Bcache', 'nodes/{system_id}/bcache/{id}/', 'One bcache.', {
    read: get({ doc: 'Read a bcache.', reply: Bcache, ...reading }),
    update: put({
      doc: 'Change a bcache.',
      params: { name: optional(DeviceName, 'The new name of its device.'), uuid: optional(Uuid, 'Its new UUID.'), ...backing },
      reply: Bcache,
      ...change,
    }),
    delete: remove({ doc: 'Delete a bcache and what is planned on it; its backing device is unused then.', ...removal }),
  }),
};
