/** Devices of a machine: its disks, and what groups of them make. A deployment names its disk by serial or WWN from commissioning, never by `/dev/sdX`. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing, nullable, oneOf, Uuid } from './field.ts';
import { Filesystem, formatting } from './formatting.ts';

export const Partition = Type.Object({
  uuid: Type.String(),
  /** Bytes. */
  size: Type.Integer({ minimum: 0 }),
  bootable: Type.Boolean(),
  tags: Type.Array(Type.String()),
  type: Type.Literal('partition'),
  used_for: Type.String(),
  system_id: Type.String(),
  path: Type.String(),
  filesystem: nullable(Filesystem),
  device_id: Id,
  id: Id,
  /** Without a slash at the end, as MAAS has it. */
  resource_uri: Type.String(),
});

/** Sizes are bytes. */
export const BlockDevice = Type.Object({
  system_id: Type.String(),
  id: Id,
  name: Type.String(),
  type: oneOf('physical', 'virtual'),
  uuid: nullable(Type.String()),
  path: Type.String(),
  model: nullable(Type.String()),
  serial: nullable(Type.String()),
  id_path: nullable(Type.String()),
  size: Type.Integer({ minimum: 0 }),
  block_size: Type.Integer({ minimum: 0 }),
  available_size: Type.Integer({ minimum: 0 }),
  used_size: Type.Integer({ minimum: 0 }),
  used_for: Type.String(),
  tags: Type.Array(Type.String()),
  filesystem: nullable(Filesystem),
  partition_table_type: nullable(oneOf('GPT', 'MBR')),
  partitions: Type.Array(Partition),
  firmware_version: nullable(Type.String()),
  storage_pool: nullable(Type.String()),
  numa_node: nullable(Type.Integer()),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\s/]+$' });
const text = Type.String({ maxLength: 255 });
const idPath = Type.String({ maxLength: 4096, pattern: '^(/dev/.+)?$' });
const size = Type.Integer({ minimum: 4 * 1024 * 1024, maximum: Number.MAX_SAFE_INTEGER });
const blockSize = Type.Integer({ minimum: 512, maximum: 65_536 });
const tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[-a-zA-Z0-9_]+$' });

export const blockDevices = {
  ...resource('BlockDevices', 'nodes/{system_id}/blockdevices/', 'The disks of one machine.', {
    read: get({ doc: 'List the disks of a machine.', reply: Type.Array(BlockDevice), errors: ['not_found'], policy: 'user', reach: 'id' }),
    create: post({
      doc: 'Add a disk to a machine by hand.\n\nCommissioning finds disks by itself; the next one replaces what was added.',
      params: {
        name: required(name, 'What the kernel calls it, such as sda.'),
        size: required(size, 'Its size in bytes.'),
        block_size: required(blockSize, 'Its block size in bytes.'),
        model: optional(text, 'Its model.'),
        serial: optional(text, 'Its serial number; one of serial and id_path is needed.'),
        id_path: optional(idPath, 'A path that always means this disk, such as /dev/disk/by-id/….'),
      },
      reply: BlockDevice,
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
  ...resource('BlockDevice', 'nodes/{system_id}/blockdevices/{id}/', 'One disk of a machine.', {
    read: get({ doc: 'Read a disk.', reply: BlockDevice, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change what is known of a disk, or a device that a group makes.\n\nA disk of a Deployed machine that was replaced gets its new name, model, serial and id_path. Logical volumes change size; other virtual devices have the size that their group gives them.',
      params: {
        name: optional(name, 'The new name.'),
        model: optional(text, 'The new model.'),
        serial: optional(text, 'The new serial number.'),
        id_path: optional(idPath, 'The new path that always means this disk.'),
        size: optional(size, 'The new size in bytes.'),
        block_size: optional(blockSize, 'The new block size in bytes.'),
        uuid: optional(Uuid, 'The new UUID of a virtual device.'),
      },
      reply: BlockDevice,
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a disk from what is known of a machine, with everything that is planned on it.\n\nNothing on the disk is touched.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
    add_tag: post({
      op: 'add_tag',
      doc: 'Put a tag on a disk.',
      params: { tag: required(tag, 'The tag.') },
      reply: BlockDevice,
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
    remove_tag: post({
      op: 'remove_tag',
      doc: 'Take a tag off a disk.',
      params: { tag: required(tag, 'The tag.') },
      reply: BlockDevice,
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
    ...formatting('a device', BlockDevice),
    set_boot_disk: post({
      op: 'set_boot_disk',
      doc: 'Make this the disk that deployments go to.',
      reply: Type.Literal('OK'),
      type: 'text',
      errors: ['not_found', 'wrong_state', 'bad_request', 'conflict'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
