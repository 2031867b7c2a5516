/** Partitions of a machine's disks. */
import type { Handlers } from '../../http/handler.ts';
import { deviceOf, partitionOf, partitionsOf, type PartitionPlace, type Storage } from '../storage/model.ts';
import { addPartition, deletePartition } from '../storage/partitions.ts';
import { partitionBody, type PartitionBody } from './block-device-body.ts';
import { formattingCalls, sizeOf } from './formatting.ts';
import type { NetworkContext } from './network-context.ts';
import { idOfText } from './network-view.ts';
import { byAdmin, changeStorage, readStorage, type StorageCall } from './storage-change.ts';

type Action = 'read' | 'delete' | 'add_tag' | 'remove_tag' | 'format' | 'unformat' | 'mount' | 'unmount';
type PartitionRoute = `Partitions.${'read' | 'create'}` | `${'Partition' | 'PartitionOfList'}.${Action}`;

interface PartitionCall extends StorageCall {
  readonly path: { readonly system_id: string; readonly device_id: string; readonly id: string };
}

function find(storage: Storage, { path }: PartitionCall): PartitionPlace {
  return partitionOf(storage, idOfText(path.device_id), idOfText(path.id));
}

export function partitionHandlers(context: NetworkContext): Handlers<PartitionRoute> {
  const body = async (systemId: string, deviceId: string, id: number): Promise<PartitionBody> => {
    const view = await readStorage(context, systemId);
    const device = deviceOf(view.storage, idOfText(deviceId));
    return partitionBody(view, device, partitionOf(view.storage, device.id, id).partition);
  };
  const show = ({ path }: PartitionCall) => body(path.system_id, path.device_id, idOfText(path.id));
  const showing = async (call: PartitionCall, done: Promise<unknown>) => {
    await done;
    return show(call);
  };
  const tagged = (call: PartitionCall, change: (tags: readonly string[]) => string[]) =>
    showing(
      call,
      changeStorage(context, call, byAdmin('update partition'), (storage) => {
        const { partition, device } = find(storage, call);
        const partitions = storage.partitions.map((one) => (one.id === partition.id ? { ...one, tags: change(one.tags) } : one));
        return {
          did: `Partition ${partition.number} of ${device.name} has other tags`,
          storage: { ...storage, partitions },
          value: undefined,
        };
      }),
    );
  const files = formattingCalls<PartitionCall>(context, 'partition', find);
  const removal = async (call: PartitionCall): Promise<void> => {
    await changeStorage(context, call, byAdmin('delete partition'), (storage) => {
      const place = find(storage, call);
      const did = `Partition ${place.partition.number} of ${place.device.name} deleted`;
      return { did, storage: deletePartition(storage, place), value: undefined };
    });
  };
  const one = {
    read: show,
    delete: removal,
    add_tag: (call: PartitionCall & { readonly params: { readonly tag: string } }) =>
      tagged(call, (tags) => [...new Set([...tags, call.params.tag])]),
    remove_tag: (call: PartitionCall & { readonly params: { readonly tag: string } }) =>
      tagged(call, (tags) => tags.filter((tag) => tag !== call.params.tag)),
    format: (call: Parameters<typeof files.format>[0]) => showing(call, files.format(call)),
    unformat: (call: PartitionCall) => showing(call, files.unformat(call)),
    mount: (call: Parameters<typeof files.mount>[0]) => showing(call, files.mount(call)),
    unmount: (call: PartitionCall) => showing(call, files.unmount(call)),
  };
  return {
    'Partitions.read': async ({ path }) => {
      const view = await readStorage(context, path.system_id);
      const device = deviceOf(view.storage, idOfText(path.device_id));
      return partitionsOf(view.storage, device.id).map((partition) => partitionBody(view, device, partition));
    },
    'Partitions.create': async (call) => {
      const { size, ...given } = call.params;
      const id = await changeStorage(context, call, byAdmin('create partition'), (storage, make) => {
        const device = deviceOf(storage, idOfText(call.path.device_id));
        const added = addPartition(storage, device, { ...given, ...sizeOf(size) }, make);
        const { partition } = added.place;
        return { did: `Partition ${partition.number} of ${device.name} added`, storage: added.storage, value: partition.id };
      });
      return body(call.path.system_id, call.path.device_id, id);
    },
    'Partition.read': one.read,
    'Partition.delete': one.delete,
    'Partition.add_tag': one.add_tag,
    'Partition.remove_tag': one.remove_tag,
    'Partition.format': one.format,
    'Partition.unformat': one.unformat,
    'Partition.mount': one.mount,
    'Partition.unmount': one.unmount,
    'PartitionOfList.read': one.read,
    'PartitionOfList.delete': one.delete,
    'PartitionOfList.add_tag': one.add_tag,
    'PartitionOfList.remove_tag': one.remove_tag,
    'PartitionOfList.format': one.format,
    'PartitionOfList.unformat': one.unformat,
    'PartitionOfList.mount': one.mount,
    'PartitionOfList.unmount': one.unmount,
  };
}
