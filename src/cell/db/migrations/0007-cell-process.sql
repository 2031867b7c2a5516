-- The processes of this cell. Any number may run over this database; each has a data folder of its own, whose id this is. A row is renewed
-- every second; one that was not for a day goes away.
create table cell_process (
  id uuid primary key,
  -- Its place among the processes, from 0: what its rack controller's system_id follows from.
  slot integer not null unique check (slot >= 0),
  name text not null,
  -- Its own address, and all that it gives to machines.
  address text not null,
  service_addresses text[] not null,
  port integer not null,
  version text not null,
  -- Counts its starts: a lease of an earlier one is nobody's.
  incarnation bigint not null default 1,
  serves_dhcp boolean not null,
  serves_tftp boolean not null,
  cpu_count integer not null,
  memory integer not null,
  architecture text not null,
  started timestamptz not null default now(),
  heartbeat timestamptz not null default now(),
  -- It ended well; the row stays, so that a restart changes nothing for the others.
  ended timestamptz
);

-- Which files of the image catalogue a process has in its own folder.
create table cell_process_image (
  process_id uuid not null references cell_process on delete cascade,
  sha256 text not null,
  primary key (process_id, sha256)
);

-- Which machines the DHCP configuration names that a process' Kea runs.
create table cell_process_dhcp (
  process_id uuid not null references cell_process on delete cascade,
  system_id text not null,
  primary key (process_id, system_id)
);

-- What all processes of the cell share besides secret.key, sealed with it: the signing key and the membership in a hub.
create table cell_shared_file (
  name text primary key,
  sealed bytea not null,
  changed timestamptz not null default now()
);
