-- Addresses that people took for themselves (op=reserve), outside of any machine. With a MAC they become a DHCP reservation.
create table ip_address (
  id bigint primary key default next_id(),
  subnet_id bigint not null references subnet on delete cascade,
  ip inet not null unique,
  owner text not null,
  mac text,
  created timestamptz not null default now()
);
create index ip_address_by_subnet on ip_address (subnet_id);
create index ip_address_by_owner on ip_address (owner);

-- This MAC gets this address, whenever it asks.
create table reserved_ip (
  id bigint primary key default next_id(),
  subnet_id bigint not null references subnet on delete cascade,
  ip inet not null unique,
  mac text not null,
  comment text not null default '',
  created timestamptz not null default now(),
  unique (subnet_id, mac)
);

create table static_route (
  id bigint primary key default next_id(),
  source_id bigint not null references subnet on delete cascade,
  destination_id bigint not null references subnet on delete cascade,
  gateway_ip inet not null,
  metric integer not null default 0 check (metric >= 0),
  unique (source_id, destination_id, gateway_ip)
);
create index static_route_by_destination on static_route (destination_id);

-- A piece of Kea's JSON, at one of four places; without any of the three it is global.
create table dhcp_snippet (
  id bigint primary key default next_id(),
  name text not null,
  description text not null default '',
  enabled boolean not null default true,
  -- Refers to a node (0013).
  node text,
  subnet_id bigint references subnet on delete cascade,
  ip_range_id bigint references ip_range on delete cascade,
  created timestamptz not null default now(),
  check (node is null or subnet_id is null),
  check (ip_range_id is null or subnet_id is not null)
);
create index dhcp_snippet_by_node on dhcp_snippet (node) where node is not null;
create index dhcp_snippet_by_subnet on dhcp_snippet (subnet_id) where subnet_id is not null;
create index dhcp_snippet_by_range on dhcp_snippet (ip_range_id) where ip_range_id is not null;

-- Every value it ever had; the newest is the one in force.
create table dhcp_snippet_value (
  id bigint primary key default next_id(),
  snippet_id bigint not null references dhcp_snippet on delete cascade,
  value text not null,
  created timestamptz not null default clock_timestamp()
);
create index dhcp_snippet_value_by_snippet on dhcp_snippet_value (snippet_id, id desc);

alter table domain add column forward_dns_servers inet[] not null default '{}';
-- The SOA serial of all zones.
create table zone_serial (
  one boolean primary key default true check (one),
  serial bigint not null check (serial between 1 and 4294967295)
);

-- A name in a domain (`@` is the domain itself) with its addresses and records. The names of machines are not in here.
create table dns_resource (
  id bigint primary key default next_id(),
  domain_id bigint not null references domain,
  name text not null,
  address_ttl integer,
  unique (domain_id, name)
);
create table dns_address (
  resource_id bigint not null references dns_resource on delete cascade,
  ip inet not null,
  created timestamptz not null default now(),
  primary key (resource_id, ip)
);
create index dns_address_by_ip on dns_address (ip);
create table dns_record (
  id bigint primary key default next_id(),
  resource_id bigint not null references dns_resource on delete cascade,
  rrtype text not null check (rrtype in ('CNAME', 'MX', 'NS', 'SRV', 'SSHFP', 'TXT')),
  rrdata text not null,
  ttl integer
);
create index dns_record_by_resource on dns_record (resource_id);

-- Hosts that a process of the cell saw on its networks: in the kernel's table of neighbours, or in Kea's leases.
create table neighbour (
  id bigint primary key default next_id(),
  ip inet not null,
  mac text not null,
  interface text not null,
  -- Of the process that saw it, as a rack controller.
  observer text not null,
  hostname text not null default '',
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  unique (ip, mac)
);
create index neighbour_by_last_seen on neighbour (last_seen desc);
