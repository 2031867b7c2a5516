/** LVM volume groups and their logical volumes. MAAS has each group under two paths, `volume-group/{id}/` and `volume-groups/{id}/`. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { BlockDevice } from './block-devices.ts';
import { Id, Nothing, Uuid } from './field.ts';
import { adminErrors, DeviceName, human, idsOf, Member, size, uuid } from './storage.ts';

/** Sizes are bytes; the human ones are decimal (`14.7 GB`). */
export const VolumeGroup = Type.Object({
  system_id: Type.String(),
  id: Id,
  uuid: Type.String(),
  name: Type.String(),
  devices: Type.Array(Member),
  size: Type.Integer({ minimum: 0 }),
  human_size: human,
  available_size: Type.Integer({ minimum: 0 }),
  human_available_size: human,
  used_size: Type.Integer({ minimum: 0 }),
  human_used_size: human,
  logical_volumes: Type.Array(BlockDevice),
  resource_uri: Type.String(),
});

const change = { errors: adminErrors, policy: 'admin', reach: 'id' } as const;

const oneGroup = {
  read: get({ doc: 'Read a volume group.', reply: VolumeGroup, errors: ['not_found'], policy: 'user', reach: 'id' }),
  update: put({
    doc: 'Change a volume group.',
    params: {
      name: optional(DeviceName, 'Its new name, which its logical volumes carry as well.'),
      uuid: optional(Uuid, 'Its new UUID.'),
      add_block_devices: idsOf('Ids of unused devices to add.'),
      remove_block_devices: idsOf('Ids of devices to take out.'),
      add_partitions: idsOf('Ids of unused partitions to add.'),
      remove_partitions: idsOf('Ids of partitions to take out.'),
    },
    reply: VolumeGroup,
    ...change,
  }),
  delete: remove({
    doc: 'Delete a volume group that has no logical volumes.',
    reply: Nothing,
    status: 204,
    type: 'none',
    ...change,
  }),
  create_logical_volume: post({
    op: 'create_logical_volume',
    doc: 'Plan a logical volume.',
    params: { name: required(DeviceName, 'Its name in the group.'), uuid, size },
    reply: BlockDevice,
    ...change,
  }),
  delete_logical_volume: post({
    op: 'delete_logical_volume',
    doc: 'Delete a logical volume.\n\nThat it is not there is no error.',
    params: { id: required(Id, 'The id of the logical volume.') },
    reply: Nothing,
    status: 204,
    type: 'none',
    ...change,
  }),
};

export const volumeGroups = {
  ...resource('VolumeGroups', 'nodes/{system_id}/volume-groups/', 'The LVM volume groups of one machine.', {
    read: get({
      doc: 'List the volume groups of a machine.',
      reply: Type.Array(VolumeGroup),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    create: post({
      doc: 'Plan a volume group of at least one device or partition.',
      params: {
        name: required(DeviceName, 'Its name.'),
        uuid,
        block_devices: idsOf('Ids of unused devices.'),
        partitions: idsOf('Ids of unused partitions.'),
      },
      reply: VolumeGroup,
      ...change,
    }),
  }),
  ...resource('VolumeGroup', 'nodes/{system_id}/volume-group/{id}/', 'One LVM volume group.', oneGroup),
  ...resource('VolumeGroupOfList', 'nodes/{system_id}/volume-groups/{id}/', 'One LVM volume group.', oneGroup),
};
