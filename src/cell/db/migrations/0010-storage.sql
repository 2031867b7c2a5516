-- How the disks of a machine are used: partition tables, file systems, and what is made of several devices (cell/storage/model.ts). What the
-- disks are is in block_device; devices that are made of others (logical volumes, RAIDs, bcaches, VMFS datastores) are rows of it as well.

-- A volume group, a RAID, a bcache, a cache set, or a VMFS datastore.
create table storage_group (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  type text not null check (type in ('lvm-vg', 'raid-0', 'raid-1', 'raid-5', 'raid-6', 'raid-10', 'bcache', 'cache-set', 'vmfs6')),
  uuid text not null,
  name text not null,
  -- Of a bcache.
  cache_mode text check (cache_mode in ('writeback', 'writethrough', 'writearound')),
  cache_set_id bigint references storage_group on delete cascade
);
create index storage_group_by_machine on storage_group (system_id);

alter table block_device
  add column type text not null default 'physical' check (type in ('physical', 'virtual')),
  -- Of a virtual device.
  add column uuid text,
  add column group_id bigint references storage_group on delete cascade,
  add column partition_table_type text check (partition_table_type in ('GPT', 'MBR')),
  add check ((type = 'virtual') = (group_id is not null));
create index block_device_by_group on block_device (group_id) where group_id is not null;

create table partition (
  id bigint primary key default next_id(),
  block_device_id bigint not null references block_device on delete cascade,
  -- Its place in the partition table, from 1: the N of `sda-partN`.
  number integer not null check (number > 0),
  uuid text not null,
  size bigint not null check (size > 0),
  bootable boolean not null default false,
  tags text[] not null default '{}',
  unique (block_device_id, number) deferrable initially deferred
);

-- A device or partition that belongs to a group; it has no file system of its own.
create table storage_member (
  id bigint primary key default next_id(),
  group_id bigint not null references storage_group on delete cascade,
  block_device_id bigint references block_device on delete cascade,
  partition_id bigint references partition on delete cascade,
  role text not null default 'active' check (role in ('active', 'spare')),
  uuid text not null,
  check (num_nonnulls(block_device_id, partition_id) = 1)
);
create index storage_member_by_group on storage_member (group_id);
create unique index storage_member_by_device on storage_member (block_device_id) where block_device_id is not null;
create unique index storage_member_by_partition on storage_member (partition_id) where partition_id is not null;

-- On a device, on a partition, or on neither (tmpfs, ramfs).
create table filesystem (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  block_device_id bigint references block_device on delete cascade,
  partition_id bigint references partition on delete cascade,
  fstype text not null,
  uuid text not null,
  label text,
  mount_point text,
  mount_options text,
  -- Made by the machine's owner: goes when the machine is released. Where machine.own_filesystems is true only these count, else only the others.
  acquired boolean not null default false,
  check (num_nonnulls(block_device_id, partition_id) <= 1)
);
create index filesystem_by_machine on filesystem (system_id);
create unique index filesystem_by_device on filesystem (block_device_id, acquired) where block_device_id is not null;
create unique index filesystem_by_partition on filesystem (partition_id, acquired) where partition_id is not null;

alter table machine
  -- Which layout was applied last; null: nobody has said how its disks are to be used, and a deployment makes the flat layout.
  add column storage_layout text,
  add column own_filesystems boolean not null default false;

-- Whichever way a machine loses its owner, what the owner made of its file systems goes with them.
create function forget_own_filesystems() returns trigger language plpgsql as $$
begin
  delete from filesystem where system_id = new.system_id and acquired;
  new.own_filesystems := false;
  return new;
end $$;
create trigger machine_released before update of owner on machine
  for each row when (new.owner is null and old.own_filesystems) execute function forget_own_filesystems();
