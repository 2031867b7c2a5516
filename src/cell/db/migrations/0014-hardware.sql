-- What commissioning found out about hardware beyond disks and interfaces, and how far tags with a definition are judged by it.

-- The documents that definitions are judged by. `judged`: every definition has been judged since they changed.
create table machine_hardware (
  system_id text primary key references machine on delete cascade,
  lshw bytea,
  lldp bytea,
  judged boolean not null default false,
  updated timestamptz not null default now()
);
create index machine_hardware_unjudged on machine_hardware (system_id) where not judged;

create table numa_node (
  system_id text not null references machine on delete cascade,
  number integer not null,
  cores integer[] not null,
  -- MiB.
  memory bigint not null,
  -- [{"page_size": KiB, "total": pages}], those that are set up.
  hugepages jsonb not null default '[]',
  primary key (system_id, number)
);

-- PCI and USB devices. Ids are four lower-case hexadecimal digits without 0x.
create table node_device (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  bus text not null check (bus in ('PCIE', 'USB')),
  -- contract/resources/scripts.ts, hardwareTypes: 0 node, 1 cpu, 2 memory, 3 storage, 4 network, 5 gpu.
  hardware_type smallint not null,
  vendor_id text not null,
  product_id text not null,
  vendor_name text not null default '',
  product_name text not null default '',
  -- The kernel module that drove it during commissioning; empty for none.
  commissioning_driver text not null default '',
  bus_number integer not null,
  device_number integer not null,
  -- 0000:3b:00.0; null on USB.
  pci_address text,
  numa_node integer not null default 0
);
create index node_device_by_machine on node_device (system_id, id);
create unique index node_device_pci on node_device (system_id, pci_address) where bus = 'PCIE';
create unique index node_device_usb on node_device (system_id, bus_number, device_number) where bus = 'USB';
create index node_device_by_ids on node_device (vendor_id, product_id);

-- Where a disk and a card hang; null where nobody said.
alter table block_device add column numa_node integer, add column pci_address text;
-- numa_node of interfaces came with 0011.
alter table interface add column pci_address text;

-- What this cell has judged all its machines by, for each tag with a definition. Global config that says otherwise is work to do; who does
-- it holds the lease, and a dead one's runs out.
create table tag_judgement (
  tag_id bigint primary key,
  -- Null: never judged.
  definition text,
  rebuilds integer not null default 0,
  -- Why it cannot be judged: too slow, or wrong in a way that shows only on a document.
  problem text,
  -- A definition that ran out of time may only have met a busy moment.
  retry_at timestamptz,
  lease_until timestamptz
);
