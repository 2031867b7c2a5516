/** Software RAIDs. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { BlockDevice } from './block-devices.ts';
import { Id, Nothing, oneOf, Uuid } from './field.ts';
import { adminErrors, DeviceName, human, idsOf, Member, uuid } from './storage.ts';

export const Raid = Type.Object({
  system_id: Type.String(),
  id: Id,
  uuid: Type.String(),
  name: Type.String(),
  level: oneOf('raid-0', 'raid-1', 'raid-5', 'raid-6', 'raid-10'),
  devices: Type.Array(Member),
  spare_devices: Type.Array(Member),
  /** Bytes. */
  size: Type.Integer({ minimum: 0 }),
  human_size: human,
  virtual_device: BlockDevice,
  resource_uri: Type.String(),
});

const change = { errors: adminErrors, policy: 'admin', reach: 'id' } as const;

export const raids = {
  ...resource('Raids', 'nodes/{system_id}/raids/', 'The software RAIDs of one machine.', {
    read: get({ doc: 'List the RAIDs of a machine.', reply: Type.Array(Raid), errors: ['not_found'], policy: 'user', reach: 'id' }),
    create: post({
      doc: 'Plan a RAID.\n\nLevels 0 and 1 need two devices, 5 and 10 three, 6 four; level 0 has no spares.',
      params: {
        name: optional(DeviceName, 'The name of its device; the next mdN when left out.'),
        uuid,
        level: required(
          oneOf('raid-0', 'raid-1', 'raid-5', 'raid-6', 'raid-10', '0', '1', '5', '6', '10'),
          'Its level, with raid- before it or without.',
        ),
        block_devices: idsOf('Ids of unused devices.'),
        spare_devices: idsOf('Ids of unused devices that stand by.'),
        partitions: idsOf('Ids of unused partitions.'),
        spare_partitions: idsOf('Ids of unused partitions that stand by.'),
      },
      reply: Raid,
      ...change,
    }),
  }),
  ...resource('Raid', 'nodes/{system_id}/raid/{id}/', 'One software RAID.', {
    read: get({ doc: 'Read a RAID.', reply: Raid, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a RAID.',
      params: {
        name: optional(DeviceName, 'The new name of its device.'),
        uuid: optional(Uuid, 'Its new UUID.'),
        add_block_devices: idsOf('Ids of unused devices to add.'),
        remove_block_devices: idsOf('Ids of devices to take out.'),
        add_spare_devices: idsOf('Ids of unused devices to add as spares.'),
        remove_spare_devices: idsOf('Ids of spare devices to take out.'),
        add_partitions: idsOf('Ids of unused partitions to add.'),
        remove_partitions: idsOf('Ids of partitions to take out.'),
        add_spare_partitions: idsOf('Ids of unused partitions to add as spares.'),
        remove_spare_partitions: idsOf('Ids of spare partitions to take out.'),
      },
      reply: Raid,
      ...change,
    }),
    delete: remove({
      doc: 'Delete a RAID and what is planned on it; its devices are unused then.',
      reply: Nothing,
      status: 204,
      type: 'none',
      ...change,
    }),
  }),
};
