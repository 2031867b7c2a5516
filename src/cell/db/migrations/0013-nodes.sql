-- Whatever has a system_id is a node: machines, devices and, once something is kept of them, controllers. Machines and devices have their own
-- tables, so that nothing that allocates, boots or erases machines can meet a device; what serves all (interfaces, tags) refers to the node.
create table node (
  system_id text primary key,
  -- As MAAS numbers them: 0 machine, 1 device, 4 region and rack controller.
  node_type smallint not null check (node_type in (0, 1, 4)),
  -- Of machines and devices, kept by their triggers: one name in a domain is one node, and whoever wants names needs no union.
  hostname text,
  domain_id bigint,
  check ((hostname is null) = (node_type = 4) and (domain_id is null) = (node_type = 4))
);
insert into node (system_id, node_type, hostname, domain_id) select system_id, 0, hostname, domain_id from machine;
create unique index node_name on node (lower(hostname), domain_id);

drop index machine_name;
create index machine_by_name on machine (lower(hostname), domain_id);
alter table machine add foreign key (system_id) references node on delete cascade;

alter table interface drop constraint interface_system_id_fkey;
alter table interface add foreign key (system_id) references node on delete cascade;
alter table machine_tag drop constraint machine_tag_system_id_fkey;
alter table machine_tag add foreign key (system_id) references node on delete cascade;

alter table dhcp_snippet add foreign key (node) references node on delete cascade;

create table device (
  system_id text primary key references node on delete cascade,
  hostname text not null,
  domain_id bigint not null references domain,
  description text not null default '',
  owner text,
  -- A container's machine: its devices go with it.
  parent text references node on delete cascade,
  zone_id bigint not null default 1,
  owner_data jsonb not null default '{}',
  workload_annotations jsonb not null default '{}',
  created timestamptz not null default now(),
  updated timestamptz not null default now(),
  check (parent <> system_id)
);
create index device_by_parent on device (parent) where parent is not null;
create index device_by_owner on device (owner) where owner is not null;

-- What people said of a controller. Its process is in cell_process, and may have none of this.
create table controller (
  system_id text primary key references node on delete cascade,
  description text not null default '',
  zone_id bigint not null default 1,
  domain_id bigint references domain on delete set null
);

create function make_node() returns trigger language plpgsql as $$
begin
  insert into node (system_id, node_type, hostname, domain_id) values (new.system_id, tg_argv[0]::smallint, new.hostname, new.domain_id);
  return new;
end $$;
create function rename_node() returns trigger language plpgsql as $$
begin
  update node set hostname = new.hostname, domain_id = new.domain_id where system_id = new.system_id;
  return new;
end $$;
create function end_node() returns trigger language plpgsql as $$
begin
  delete from node where system_id = old.system_id;
  return null;
end $$;

create trigger machine_is_node before insert on machine for each row execute function make_node(0);
create trigger machine_renames_node before update of hostname, domain_id on machine for each row
  when (old.hostname is distinct from new.hostname or old.domain_id is distinct from new.domain_id) execute function rename_node();
create trigger machine_ends_node after delete on machine for each row execute function end_node();
create trigger device_is_node before insert on device for each row execute function make_node(1);
create trigger device_renames_node before update of hostname, domain_id on device for each row
  when (old.hostname is distinct from new.hostname or old.domain_id is distinct from new.domain_id) execute function rename_node();
create trigger device_ends_node after delete on device for each row execute function end_node();
