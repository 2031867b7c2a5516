-- Interfaces made of others: bonds and bridges of their members, VLAN interfaces of the one that carries them.
create table interface_relation (
  parent_id bigint not null references interface on delete cascade,
  child_id bigint not null references interface on delete cascade,
  primary key (child_id, parent_id),
  check (parent_id <> child_id)
);
create index interface_relation_by_parent on interface_relation (parent_id);

-- What is made of nothing any more is nothing, whoever took its last parent away: an API call, commissioning, or the end of a machine.
create function delete_interface_of_nothing() returns trigger language plpgsql as $$
begin
  delete from interface i where i.id = old.child_id and not exists (select from interface_relation r where r.child_id = i.id);
  return null;
end $$;
create trigger interface_of_nothing after delete on interface_relation for each row execute function delete_interface_of_nothing();

alter table interface
  -- A bridge that came with the allocation (bridge_all) and goes with the release.
  add column acquired boolean not null default false,
  add column numa_node integer,
  add column sriov_max_vf integer not null default 0;

-- The link whose router a machine's default route was told to go by, of each family; without a row the boot interface's links come first.
create table default_gateway (
  system_id text not null,
  family smallint not null check (family in (4, 6)),
  link_id bigint not null references interface_link on delete cascade,
  primary key (system_id, family)
);
create index default_gateway_by_link on default_gateway (link_id);

-- A machine that becomes nobody's, however it does: bridges that came with its allocation go, their links go back to what they were over, and
-- AUTO links give their addresses back, but for the one that the machine boots with, which stays its own.
create function give_back_network() returns trigger language plpgsql as $$
begin
  update interface_link l set interface_id = r.parent_id
    from interface b join interface_relation r on r.child_id = b.id
    where b.system_id = new.system_id and b.acquired and l.interface_id = b.id;
  delete from interface where system_id = new.system_id and acquired;
  update interface_link l set ip = null from interface i
    where i.system_id = new.system_id and l.interface_id = i.id and l.mode = 'auto' and l.ip is not null
      and (i.type = 'vlan' or i.mac is distinct from (select mac from interface where id = new.boot_interface_id));
  return null;
end $$;
create trigger machine_gives_back_network after update of owner on machine for each row
  when (old.owner is not null and new.owner is null) execute function give_back_network();
