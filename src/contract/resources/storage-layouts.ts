/** What can be asked of all disks of a machine at once, and file systems that are on none. */
import { Type } from 'typebox';
import { optional, post, required, resource } from '../route.ts';
import { ByteSizeOrShare } from './byte-size.ts';
import { Id, oneOf } from './field.ts';
import { MountOptions, MountPoint } from './formatting.ts';
import { Machine } from './machine.ts';
import { adminErrors, DeviceName, ownerErrors } from './storage.ts';

const sized = (doc: string) => optional(ByteSizeOrShare, `${doc} Bytes, or with a decimal unit (10G), or a share of the boot disk (20%).`);

export const storageLayouts = resource('Machine', 'machines/{system_id}/', 'One machine.', {
  set_storage_layout: post({
    op: 'set_storage_layout',
    doc: 'Plan all disks of a Ready machine anew.\n\nEverything that was planned on them goes; nothing is written before the machine is deployed.',
    params: {
      storage_layout: required(
        oneOf('flat', 'lvm', 'bcache', 'vmfs6', 'vmfs7', 'custom', 'blank'),
        'flat: one root file system; lvm: on a logical volume; bcache: behind an SSD; vmfs6, vmfs7: as VMware ESXi has it; blank: nothing at all.',
      ),
      boot_size: sized('A boot partition of this size; none when left out.'),
      root_size: sized('The size of the root partition; all that is free when left out.'),
      root_device: optional(Id, 'The id of the disk for the root partition, where that is not the boot disk.'),
      vg_name: optional(DeviceName, 'lvm: the name of the volume group (vgroot).'),
      lv_name: optional(DeviceName, 'lvm: the name of the logical volume (lvroot).'),
      lv_size: sized('lvm: the size of the logical volume; all of the group when left out.'),
      cache_device: optional(Id, 'bcache: the id of the disk that caches; the smallest SSD when left out.'),
      cache_mode: optional(oneOf('writeback', 'writethrough', 'writearound'), 'bcache: how it caches (writethrough).'),
      cache_size: sized('bcache: the size of the partition that caches; all of the disk when left out.'),
      cache_no_part: optional(Type.Boolean(), 'bcache: the whole disk caches, without a partition.'),
    },
    reply: Machine,
    errors: adminErrors,
    policy: 'admin',
    reach: 'id',
  }),
  restore_storage_configuration: post({
    op: 'restore_storage_configuration',
    doc: 'Make the storage of a machine what it was after commissioning.\n\nThat is the layout that the setting default_storage_layout names.',
    reply: Machine,
    errors: adminErrors,
    policy: 'admin',
    reach: 'id',
  }),
  mount_special: post({
    op: 'mount_special',
    doc: 'Mount a file system that needs no disk when the machine is deployed.',
    params: {
      fstype: required(oneOf('tmpfs', 'ramfs'), 'The kind of file system.'),
      mount_point: required(MountPoint, 'The absolute path where it is mounted.'),
      mount_option: optional(MountOptions, 'Options for mount, with commas between.'),
      mount_options: optional(MountOptions, 'The same, as other operations call it.'),
    },
    reply: Machine,
    errors: ownerErrors,
    policy: 'user',
    reach: 'id',
  }),
  unmount_special: post({
    op: 'unmount_special',
    doc: 'Do not mount a file system that needs no disk any more.',
    params: { mount_point: required(MountPoint, 'The path where it is mounted.') },
    reply: Machine,
    errors: ownerErrors,
    policy: 'user',
    reach: 'id',
  }),
});
