/** VMFS datastores of a machine. */
import type { Handlers } from '../../http/handler.ts';
import { createDatastore, updateDatastore } from '../storage/datastores.ts';
import type { NetworkContext } from './network-context.ts';
import { datastoreBody } from './storage-body.ts';
import { chosen, groupCalls } from './storage-groups.ts';

type DatastoreRoute = `VmfsDatastores.${'read' | 'create'}` | `VmfsDatastore.${'read' | 'update' | 'delete'}`;

export function vmfsDatastoreHandlers(context: NetworkContext): Handlers<DatastoreRoute> {
  const groups = groupCalls(context, { noun: 'VMFS datastore', model: 'VMFS', types: ['vmfs6'], body: datastoreBody });
  return {
    'VmfsDatastores.read': groups.list,
    'VmfsDatastores.create': (call) => {
      const { block_devices, partitions, ...given } = call.params;
      return groups.create(call, (storage, make) => createDatastore(storage, given, chosen(block_devices, partitions), make));
    },
    'VmfsDatastore.read': groups.read,
    'VmfsDatastore.update': (call) => {
      const { add_block_devices, add_partitions, remove_partitions, ...given } = call.params;
      const change = { ...given, add: chosen(add_block_devices, add_partitions), remove: chosen([], remove_partitions) };
      return groups.update(call, (storage, group, make) => updateDatastore(storage, group, change, make));
    },
    'VmfsDatastore.delete': (call) => groups.remove(call),
  };
}
