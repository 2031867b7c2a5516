/** The tables of how disks are used, as Kysely sees them; the truth is in `migrations/0010-storage.sql`. */
import type { ColumnType, Generated } from 'kysely';
import type { CacheMode, GroupType } from '../storage/model.ts';

type Filled<T> = ColumnType<T, T | undefined, T>;
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;

export interface PartitionTable {
  id: Generated<number>;
  block_device_id: number;
  number: number;
  uuid: string;
  size: number;
  bootable: Filled<boolean>;
  tags: Filled<string[]>;
}

export interface FilesystemTable {
  id: Generated<number>;
  system_id: string;
  block_device_id: Optional<number>;
  partition_id: Optional<number>;
  fstype: string;
  uuid: string;
  label: Optional<string>;
  mount_point: Optional<string>;
  mount_options: Optional<string>;
  acquired: Filled<boolean>;
}

export interface StorageGroupTable {
  id: Generated<number>;
  system_id: string;
  type: GroupType;
  uuid: string;
  name: string;
  cache_mode: Optional<CacheMode>;
  cache_set_id: Optional<number>;
}

export interface StorageMemberTable {
  id: Generated<number>;
  group_id: number;
  block_device_id: Optional<number>;
  partition_id: Optional<number>;
  role: Filled<'active' | 'spare'>;
  uuid: string;
}

export interface StorageTables {
  partition: PartitionTable;
  filesystem: FilesystemTable;
  storage_group: StorageGroupTable;
  storage_member: StorageMemberTable;
}
