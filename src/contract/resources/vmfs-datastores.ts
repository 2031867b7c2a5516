/** VMFS datastores of VMware ESXi. Planned and shown; they are made by an ESXi image, never by a Debian one. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing, Uuid } from './field.ts';
import { adminErrors, DeviceName, human, idsOf, Member, uuid } from './storage.ts';

export const VmfsDatastore = Type.Object({
  system_id: Type.String(),
  id: Id,
  uuid: Type.String(),
  name: Type.String(),
  devices: Type.Array(Member),
  /** Bytes. */
  size: Type.Integer({ minimum: 0 }),
  human_size: human,
  filesystem: Type.Object({ fstype: Type.String(), mount_point: Type.String() }),
  resource_uri: Type.String(),
});

const change = { errors: adminErrors, policy: 'admin', reach: 'id' } as const;

export const vmfsDatastores = {
  ...resource('VmfsDatastores', 'nodes/{system_id}/vmfs-datastores/', 'The VMFS datastores of one machine.', {
    read: get({
      doc: 'List the datastores of a machine.',
      reply: Type.Array(VmfsDatastore),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    create: post({
      doc: 'Plan a datastore of at least one device or partition.\n\nA whole device gets one partition over all of it.',
      params: {
        name: required(DeviceName, 'Its name.'),
        uuid,
        block_devices: idsOf('Ids of unused devices.'),
        partitions: idsOf('Ids of unused partitions.'),
      },
      reply: VmfsDatastore,
      ...change,
    }),
  }),
  ...resource('VmfsDatastore', 'nodes/{system_id}/vmfs-datastore/{id}/', 'One VMFS datastore.', {
    read: get({ doc: 'Read a datastore.', reply: VmfsDatastore, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a datastore.',
      params: {
        name: optional(DeviceName, 'Its new name.'),
        uuid: optional(Uuid, 'Its new UUID.'),
        add_block_devices: idsOf('Ids of unused devices to add.'),
        add_partitions: idsOf('Ids of unused partitions to add.'),
        remove_partitions: idsOf('Ids of partitions to take out.'),
      },
      reply: VmfsDatastore,
      ...change,
    }),
    delete: remove({
      doc: 'Delete a datastore; its partitions are unused then.',
      reply: Nothing,
      status: 204,
      type: 'none',
      ...change,
    }),
  }),
};
