/** LVM volume groups of a machine. */
import type { Handlers } from '../../http/handler.ts';
import { deviceOf } from '../storage/model.ts';
import { createVolume, createVolumeGroup, deleteVolume, deleteVolumeGroup, updateVolumeGroup } from '../storage/volume-groups.ts';
import { blockDeviceBody } from './block-device-body.ts';
import { sizeOf } from './formatting.ts';
import type { NetworkContext } from './network-context.ts';
import { volumeGroupBody } from './storage-body.ts';
import { readStorage } from './storage-change.ts';
import { chosen, groupCalls, type GroupCall } from './storage-groups.ts';

type Action = 'read' | 'update' | 'delete' | 'create_logical_volume' | 'delete_logical_volume';
type VolumeGroupRoute = `VolumeGroups.${'read' | 'create'}` | `${'VolumeGroup' | 'VolumeGroupOfList'}.${Action}`;

interface UpdateParams {
  readonly name?: string;
  readonly uuid?: string;
  readonly add_block_devices?: readonly number[];
  readonly remove_block_devices?: readonly number[];
  readonly add_partitions?: readonly number[];
  readonly remove_partitions?: readonly number[];
}

type VolumeParams = { readonly name: string; readonly uuid?: string; readonly size?: string };

export function volumeGroupHandlers(context: NetworkContext): Handlers<VolumeGroupRoute> {
  const groups = groupCalls(context, { noun: 'volume group', model: 'VolumeGroup', types: ['lvm-vg'], body: volumeGroupBody });
  const one = {
    read: groups.read,
    update: (call: GroupCall & { readonly params: UpdateParams }) => {
      const { add_block_devices, remove_block_devices, add_partitions, remove_partitions, ...given } = call.params;
      const change = { ...given, add: chosen(add_block_devices, add_partitions), remove: chosen(remove_block_devices, remove_partitions) };
      return groups.update(call, (storage, group, make) => updateVolumeGroup(storage, group, change, make));
    },
    delete: (call: GroupCall) => groups.remove(call, deleteVolumeGroup),
    create: async (call: GroupCall & { readonly params: VolumeParams }) => {
      const { size, ...given } = call.params;
      const id = await groups.change(call, 'create logical volume', (storage, group, make) => {
        const made = createVolume(storage, group, { ...given, ...sizeOf(size) }, make);
        return { storage: made.storage, value: made.device.id };
      });
      const view = await readStorage(context, call.path.system_id);
      return blockDeviceBody(view, deviceOf(view.storage, id));
    },
    remove: async (call: GroupCall & { readonly params: { readonly id: number } }) => {
      await groups.change(call, 'delete logical volume', (storage, group) => ({
        storage: deleteVolume(storage, group, call.params.id),
        value: undefined,
      }));
    },
  };
  return {
    'VolumeGroups.read': groups.list,
    'VolumeGroups.create': (call) => {
      const { block_devices, partitions, ...given } = call.params;
      return groups.create(call, (storage, make) => createVolumeGroup(storage, given, chosen(block_devices, partitions), make));
    },
    'VolumeGroup.read': one.read,
    'VolumeGroup.update': one.update,
    'VolumeGroup.delete': one.delete,
    'VolumeGroup.create_logical_volume': one.create,
    'VolumeGroup.delete_logical_volume': one.remove,
    'VolumeGroupOfList.read': one.read,
    'VolumeGroupOfList.update': one.update,
    'VolumeGroupOfList.delete': one.delete,
    'VolumeGroupOfList.create_logical_volume': one.create,
    'VolumeGroupOfList.delete_logical_volume': one.remove,
  };
}
