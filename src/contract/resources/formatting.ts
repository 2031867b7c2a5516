/** Making and mounting file systems: the same four operations on a device and on a partition. */
import { Type, type TSchema } from 'typebox';
import { optional, post, required } from '../route.ts';
import { nullable, oneOf, Uuid } from './field.ts';

const FileSystemType = oneOf('ext2', 'ext4', 'xfs', 'fat32', 'vfat', 'swap', 'btrfs', 'zfsroot');
export const MountPoint = Type.String({ maxLength: 255 });
export const MountOptions = Type.String({ maxLength: 255 });

/** fstype is `lvm-pv`, `raid`, `bcache-cache`, … where the device belongs to a group. */
export const Filesystem = Type.Object({
  fstype: Type.String(),
  label: nullable(Type.String()),
  uuid: Type.String(),
  mount_point: nullable(Type.String()),
  mount_options: nullable(Type.String()),
});

/** `format`, `unformat`, `mount`, `unmount` of `what`, in an admin's Ready machine or an owner's Allocated one. */
export function formatting<S extends TSchema>(what: string, reply: S) {
  const plain = {
    reply,
    errors: ['not_found', 'forbidden', 'not_owner', 'wrong_state', 'bad_request', 'conflict'],
    policy: 'user',
    reach: 'id',
  } as const;
  return {
    format: post({
      op: 'format',
      doc: `Plan a file system on ${what}, in the place of the one that is planned there.\n\nNothing is written before the machine is deployed.`,
      params: {
        fstype: required(FileSystemType, 'The kind of file system.'),
        uuid: optional(Uuid, 'Its UUID; a random one when left out.'),
        label: optional(Type.String({ maxLength: 16, pattern: '^[-a-zA-Z0-9_.]*$' }), 'Its label.'),
      },
      ...plain,
    }),
    unformat: post({ op: 'unformat', doc: `Plan no file system on ${what} any more.`, ...plain }),
    mount: post({
      op: 'mount',
      doc: `Mount the file system of ${what} when the machine is deployed.`,
      params: {
        mount_point: optional(MountPoint, 'The absolute path where it is mounted. Needed but for swap space, which has none.'),
        mount_options: optional(MountOptions, 'Options for mount, with commas between.'),
      },
      ...plain,
    }),
    unmount: post({ op: 'unmount', doc: `Do not mount the file system of ${what}.`, ...plain }),
  };
}
