/** Partitions of a disk. MAAS has each under two paths, `partition/{id}` and `partitions/{id}`, neither with a slash at the end. */
import { Type } from 'typebox';
import { get, optional, post, remove, required, resource } from '../route.ts';
import { Partition } from './block-devices.ts';
import { Nothing } from './field.ts';
import { formatting } from './formatting.ts';
import { adminErrors, size, StorageTag, uuid } from './storage.ts';

const tagging = { reply: Partition, errors: adminErrors, policy: 'admin', reach: 'id' } as const;

const onePartition = {
  read: get({ doc: 'Read a partition.', reply: Partition, errors: ['not_found'], policy: 'user', reach: 'id' }),
  delete: remove({
    doc: 'Delete a partition and what is planned on it.\n\nThe last partition of a disk takes the partition table with it.',
    reply: Nothing,
    status: 204,
    type: 'none',
    errors: adminErrors,
    policy: 'admin',
    reach: 'id',
  }),
  add_tag: post({ op: 'add_tag', doc: 'Put a tag on a partition.', params: { tag: required(StorageTag, 'The tag.') }, ...tagging }),
  remove_tag: post({ op: 'remove_tag', doc: 'Take a tag off a partition.', params: { tag: required(StorageTag, 'The tag.') }, ...tagging }),
  ...formatting('a partition', Partition),
};

export const partitions = {
  ...resource('Partitions', 'nodes/{system_id}/blockdevices/{device_id}/partitions/', 'The partitions of one disk.', {
    read: get({ doc: 'List the partitions of a disk.', reply: Type.Array(Partition), errors: ['not_found'], policy: 'user', reach: 'id' }),
    create: post({
      doc: 'Plan a partition.\n\nIts size is rounded to whole 4 MiB. A disk without a partition table gets a GPT.',
      params: { size, uuid, bootable: optional(Type.Boolean(), 'Whether the machine boots from it.') },
      reply: Partition,
      errors: adminErrors,
      policy: 'admin',
      reach: 'id',
    }),
  }),
  ...resource('Partition', 'nodes/{system_id}/blockdevices/{device_id}/partition/{id}', 'One partition of a disk.', onePartition),
  ...resource('PartitionOfList', 'nodes/{system_id}/blockdevices/{device_id}/partitions/{id}', 'One partition of a disk.', onePartition),
};
