/** bcaches and cache sets of a machine. */
import type { Handlers } from '../../http/handler.ts';
import {
  createBcache,
  createCacheSet,
  deleteCacheSet,
  updateBcache,
  updateCacheSet,
  type BcacheGiven,
  type OneOf,
} from '../storage/caches.ts';
import type { CacheMode } from '../storage/model.ts';
import type { NetworkContext } from './network-context.ts';
import { bcacheBody, cacheSetBody } from './storage-body.ts';
import { groupCalls } from './storage-groups.ts';

type Action = 'read' | 'update' | 'delete';
type BcacheRoute =
  | `BcacheCacheSets.${'read' | 'create'}`
  | `BcacheCacheSet.${Action}`
  | `Bcaches.${'read' | 'create'}`
  | `Bcache.${Action}`;

function oneOf(device: number | undefined, partition: number | undefined): OneOf {
  return { ...(device === undefined ? {} : { device }), ...(partition === undefined ? {} : { partition }) };
}

interface BcacheParams {
  readonly name?: string;
  readonly uuid?: string;
  readonly cache_set?: number;
  readonly backing_device?: number;
  readonly backing_partition?: number;
  readonly cache_mode?: CacheMode;
}

function given({ cache_set, cache_mode, backing_device, backing_partition, ...named }: BcacheParams): BcacheGiven {
  return {
    ...named,
    ...(cache_set === undefined ? {} : { cacheSet: cache_set }),
    ...(cache_mode === undefined ? {} : { cacheMode: cache_mode }),
    backing: oneOf(backing_device, backing_partition),
  };
}

export function bcacheHandlers(context: NetworkContext): Handlers<BcacheRoute> {
  const sets = groupCalls(context, { noun: 'cache set', model: 'CacheSet', types: ['cache-set'], body: cacheSetBody });
  const caches = groupCalls(context, { noun: 'bcache', model: 'Bcache', types: ['bcache'], body: bcacheBody });
  return {
    'BcacheCacheSets.read': sets.list,
    'BcacheCacheSets.create': (call) => {
      const cache = oneOf(call.params.cache_device, call.params.cache_partition);
      return sets.create(call, (storage, make) => createCacheSet(storage, cache, make));
    },
    'BcacheCacheSet.read': sets.read,
    'BcacheCacheSet.update': (call) => {
      const cache = oneOf(call.params.cache_device, call.params.cache_partition);
      return sets.update(call, (storage, group, make) => updateCacheSet(storage, group, cache, make));
    },
    'BcacheCacheSet.delete': (call) => sets.remove(call, deleteCacheSet),
    'Bcaches.read': caches.list,
    'Bcaches.create': (call) => caches.create(call, (storage, make) => createBcache(storage, given(call.params), make)),
    'Bcache.read': caches.read,
    'Bcache.update': (call) => caches.update(call, (storage, group, make) => updateBcache(storage, group, given(call.params), make)),
    'Bcache.delete': (call) => caches.remove(call),
  };
}
