/** Devices and partitions as the API shows them. Pure. */
import type { BlockDevice, Partition as PartitionShape } from '../../contract/resources/block-devices.ts';
import type { Body } from '../../contract/route.ts';
import type { BlockDeviceRow, MachineRow } from '../db/machine-read.ts';
import { memberFormat } from '../storage/filesystems.ts';
import {
  filesystemAt,
  memberAt,
  partitionsOf,
  storageOf,
  type Member,
  type Partition,
  type Place,
  type Storage,
} from '../storage/model.ts';
import { usage } from '../storage/sizes.ts';
import { uri } from './network-body.ts';

export type BlockDeviceBody = Body<typeof BlockDevice>;
export type PartitionBody = Body<typeof PartitionShape>;

/** A machine's storage with what is needed to show it. */
export interface StorageView {
  readonly systemId: string;
  readonly status: number;
  readonly storage: Storage<BlockDeviceRow>;
  /** Of a machine that was deployed before anybody said how its disks are to be used: the disk with its system. */
  readonly system: number | null;
}

type StorageRow = Pick<
  MachineRow,
  | 'system_id'
  | 'status'
  | 'osystem'
  | 'boot_disk_id'
  | 'storage_layout'
  | 'own_filesystems'
  | 'disks'
  | 'partitions'
  | 'filesystems'
  | 'groups'
  | 'members'
>;

export function storageView(row: StorageRow): StorageView {
  return {
    systemId: row.system_id,
    status: row.status,
    storage: storageOf({ ...row, devices: row.disks }, row),
    system: row.osystem !== '' && row.storage_layout === null ? row.boot_disk_id : null,
  };
}

/** The file system at a place; a member of a group shows what it is a part of. */
function filesystemBody(storage: Storage, place: Place): BlockDeviceBody['filesystem'] {
  const filesystem = filesystemAt(storage, place);
  if (filesystem) {
    const { fstype, label, uuid, mount_point, mount_options } = filesystem;
    return { fstype, label, uuid, mount_point, mount_options };
  }
  const member = memberAt(storage, place);
  const group = storage.groups.find((one) => one.id === member?.group_id);
  if (!member || !group) return null;
  return { fstype: memberFormat(group, member), label: null, uuid: member.uuid, mount_point: null, mount_options: null };
}

function memberUse(storage: Storage, member: Member): string {
  const group = storage.groups.find((one) => one.id === member.group_id);
  if (!group) return 'Unused';
  if (group.type === 'lvm-vg') return `LVM volume for ${group.name}`;
  if (group.type === 'cache-set') return `Cache device for ${group.name}`;
  if (group.type === 'bcache') return `Backing device for ${group.name}`;
  if (group.type === 'vmfs6') return `VMFS extent for ${group.name}`;
  return `${member.role === 'spare' ? 'Spare' : 'Active'} ${group.type} device for ${group.name}`;
}

function usedFor(storage: Storage, place: Place): string {
  const filesystem = filesystemAt(storage, place);
  if (filesystem)
    return filesystem.mount_point === null
      ? `Unmounted ${filesystem.fstype} formatted filesystem`
      : `${filesystem.fstype} formatted filesystem mounted at ${filesystem.mount_point}`;
  const member = memberAt(storage, place);
  if (member) return memberUse(storage, member);
  if (place.kind === 'partition' || place.device.partition_table_type === null) return 'Unused';
  const count = partitionsOf(storage, place.device.id).length;
  return `${place.device.partition_table_type} partitioned with ${count} partition${count > 1 ? 's' : ''}`;
}

export function partitionBody({ systemId, storage }: StorageView, device: BlockDeviceRow, partition: Partition): PartitionBody {
  const place = { kind: 'partition', device, partition } as const;
  return {
    uuid: partition.uuid,
    size: partition.size,
    bootable: partition.bootable,
    tags: [...partition.tags],
    type: 'partition',
    used_for: usedFor(storage, place),
    system_id: systemId,
    path: `/dev/disk/by-dname/${device.name}-part${partition.number}`,
    filesystem: filesystemBody(storage, place),
    device_id: device.id,
    id: partition.id,
    resource_uri: uri('nodes', systemId, 'blockdevices', device.id, 'partition', partition.id).slice(0, -1),
  };
}

export function blockDeviceBody(view: StorageView, row: BlockDeviceRow): BlockDeviceBody {
  const { systemId, storage } = view;
  const isSystem = row.id === view.system;
  const place = { kind: 'device', device: row } as const;
  const { used, available } = usage(storage, row);
  return {
    system_id: systemId,
    id: row.id,
    name: row.name,
    type: row.type,
    uuid: row.uuid,
    path: `/dev/disk/by-dname/${row.name}`,
    model: row.model,
    serial: row.serial,
    id_path: row.id_path,
    size: row.size,
    block_size: row.block_size,
    available_size: isSystem ? 0 : available,
    used_size: isSystem ? row.size : used,
    used_for: isSystem ? 'GPT partitioned, the system of this machine' : usedFor(storage, place),
    tags: [...row.tags],
    filesystem: filesystemBody(storage, place),
    partition_table_type: isSystem ? 'GPT' : row.partition_table_type,
    partitions: partitionsOf(storage, row.id).map((one) => partitionBody(view, row, one)),
    firmware_version: row.firmware_version,
    storage_pool: null,
    numa_node: row.numa_node,
    resource_uri: uri('nodes', systemId, 'blockdevices', row.id),
  };
}

/** Whichever of the two a member is. */
export function memberBody(view: StorageView, member: Member): BlockDeviceBody | PartitionBody | undefined {
  const { devices, partitions } = view.storage;
  const partition = partitions.find((one) => one.id === member.partition_id);
  const device = devices.find((one) => one.id === (partition?.block_device_id ?? member.block_device_id));
  if (device === undefined) return undefined;
  return partition === undefined ? blockDeviceBody(view, device) : partitionBody(view, device, partition);
}
