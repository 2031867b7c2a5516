-- What one cell owns (architecture §3, right column). Global rows (users, zones, pools, tags, …) are named by id without foreign keys:
-- they are retired, never deleted, so nothing here can stop a revision.

create table cell_identity (
  one boolean primary key default true check (one),
  number integer not null check (number between 1 and 13823),
  name text not null,
  -- Recognises secret.key (cell/secret-key.ts): a database that was sealed with another key is refused.
  key_fingerprint text not null
);

create sequence row_number;
create sequence machine_number minvalue 0;

-- Integer ids carry their cell: cell × 10¹¹ + n (contract/ids.ts).
create function next_id() returns bigint language sql volatile as
$$ select number::bigint * 100000000000 + nextval('row_number') from cell_identity $$;

create table domain (
  id bigint primary key default next_id(),
  name text not null unique,
  authoritative boolean not null default true,
  ttl integer,
  is_default boolean not null default false
);
create unique index domain_one_default on domain (is_default) where is_default;

create table fabric (
  id bigint primary key default next_id(),
  name text not null unique,
  class_type text,
  description text not null default ''
);

create table vlan (
  id bigint primary key default next_id(),
  fabric_id bigint not null references fabric,
  vid integer not null check (vid between 0 and 4094),
  name text not null,
  description text not null default '',
  mtu integer not null default 1500 check (mtu between 552 and 65535),
  space_id bigint,
  dhcp_on boolean not null default false,
  enlists boolean not null default true,
  relay_vlan_id bigint references vlan,
  unique (fabric_id, vid)
);

create table subnet (
  id bigint primary key default next_id(),
  vlan_id bigint not null references vlan,
  cidr cidr not null unique,
  name text not null,
  description text not null default '',
  gateway_ip inet,
  dns_servers inet[] not null default '{}',
  rdns_mode smallint not null default 2,
  active_discovery boolean not null default false,
  allow_dns boolean not null default true,
  allow_proxy boolean not null default true,
  managed boolean not null default true,
  disabled_boot_architectures text[] not null default '{}'
);
create index subnet_by_vlan on subnet (vlan_id);

create table ip_range (
  id bigint primary key default next_id(),
  subnet_id bigint not null references subnet on delete cascade,
  type text not null check (type in ('dynamic', 'reserved')),
  start_ip inet not null,
  end_ip inet not null,
  comment text not null default '',
  owner text,
  check (start_ip <= end_ip)
);
create index ip_range_by_subnet on ip_range (subnet_id);

-- A BMC may serve several machines (a chassis). Parameters are sealed with the cell's secret.key; the address is in clear to be found by.
create table bmc (
  id bigint primary key default next_id(),
  driver text not null,
  address text not null,
  sealed bytea not null,
  lease_until timestamptz,
  fence bigint not null default 0,
  -- cell/power/health.ts: what is remembered to treat it gently.
  health jsonb not null default '{"failuresInRow":0,"hardInRow":0,"score":100}'
);
create unique index bmc_by_address on bmc (driver, address) where address <> '';

create table machine (
  system_id text primary key,
  hostname text not null,
  domain_id bigint not null references domain,
  description text not null default '',
  architecture text not null default 'amd64/generic',
  min_hwe_kernel text not null default '',
  cpu_count integer not null default 0,
  cpu_speed integer not null default 0,
  memory integer not null default 0,
  status smallint not null default 0,
  previous_status smallint not null default 0,
  status_since timestamptz not null default now(),
  status_action text not null default '',
  status_message text not null default '',
  error_description text not null default '',
  generation bigint not null default 0,
  locked boolean not null default false,
  owner text,
  agent_name text not null default '',
  allocated_at timestamptz,
  claim_id uuid,
  confirm_by timestamptz,
  zone_id bigint not null default 1,
  pool_id bigint not null default 0,
  bmc_id bigint references bmc,
  power_type text not null default '',
  power_node jsonb not null default '{}',
  power_state text not null default 'unknown' check (power_state in ('on', 'off', 'unknown', 'error')),
  power_state_at timestamptz,
  power_evidence text not null default '',
  hardware_uuid text,
  serial text,
  firmware text not null default '' check (firmware in ('', 'bios', 'uefi')),
  hardware_info jsonb not null default '{}',
  boot_interface_id bigint,
  boot_disk_id bigint,
  osystem text not null default '',
  distro_series text not null default '',
  image jsonb,
  ephemeral boolean not null default false,
  owner_data jsonb not null default '{}',
  workload_annotations jsonb not null default '{}',
  user_data bytea,
  moved_to text,
  failures integer not null default 0,
  swap_size bigint,
  created timestamptz not null default now(),
  updated timestamptz not null default now()
);
create unique index machine_name on machine (lower(hostname), domain_id);
create index machine_by_status on machine (status);
create index machine_by_owner on machine (owner) where owner is not null;
create index machine_by_uuid on machine (hardware_uuid) where hardware_uuid is not null;
create index machine_by_bmc on machine (bmc_id) where bmc_id is not null;
create index machine_unconfirmed on machine (confirm_by) where confirm_by is not null;
-- What allocation walks: Ready, unowned, unlocked, cheapest first (MAAS: cpu_count + memory in GiB).
create index machine_allocatable on machine ((cpu_count + memory / 1024.0), system_id) where status = 4 and owner is null and not locked;

create table machine_tag (
  system_id text not null references machine on delete cascade,
  tag_id bigint not null,
  primary key (system_id, tag_id)
);
create index machine_tag_by_tag on machine_tag (tag_id, system_id);

create table interface (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  name text not null,
  type text not null default 'physical',
  mac text,
  vlan_id bigint references vlan,
  enabled boolean not null default true,
  link_connected boolean not null default true,
  interface_speed integer not null default 0,
  link_speed integer not null default 0,
  vendor text,
  product text,
  firmware_version text,
  tags text[] not null default '{}',
  params jsonb not null default '{}',
  mtu integer,
  unique (system_id, name)
);
create unique index interface_by_mac on interface (mac) where type = 'physical';
create index interface_by_machine on interface (system_id);

create table interface_link (
  id bigint primary key default next_id(),
  interface_id bigint not null references interface on delete cascade,
  mode text not null check (mode in ('auto', 'dhcp', 'static', 'link_up')),
  subnet_id bigint references subnet,
  ip inet,
  created timestamptz not null default now()
);
create index interface_link_by_interface on interface_link (interface_id);
create unique index interface_link_by_ip on interface_link (ip) where ip is not null;

create table block_device (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  name text not null,
  model text,
  serial text,
  wwn text,
  id_path text,
  size bigint not null,
  block_size integer not null default 512,
  rotational boolean not null default false,
  firmware_version text,
  tags text[] not null default '{}',
  -- What this cell's own last commission, deploy or erase left or saw there: a claim that finds anything else is refused.
  account_signatures text[],
  account_marker text,
  account_at timestamptz,
  -- Deferred: an inventory may swap two names.
  unique (system_id, name) deferrable initially deferred
);
create index block_device_by_machine on block_device (system_id);

-- One long-running piece of work on one machine. The row is the job: due_at, lease_until and fence are the queue.
create table operation (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  kind text not null,
  plan_version integer not null,
  outcome text not null default 'live' check (outcome in ('live', 'done', 'failed', 'aborted')),
  step text not null default 'start',
  note text not null default '',
  error text not null default '',
  parameters jsonb not null default '{}',
  memory jsonb not null default '{}',
  requested_by text not null,
  idempotency_key text,
  abort_asked boolean not null default false,
  waits_for_hands boolean not null default false,
  attempt integer not null default 0,
  due_at timestamptz not null default now(),
  -- Counts the events that concern it, so that one that comes while a worker is deciding is not slept over.
  nudges bigint not null default 0,
  lease_until timestamptz,
  lease_owner text,
  fence bigint not null default 0,
  deadline timestamptz not null,
  started timestamptz not null default now(),
  ended timestamptz
);
create unique index operation_one_live on operation (system_id) where outcome = 'live';
create index operation_due on operation (due_at) where outcome = 'live';
create index operation_by_machine on operation (system_id, id desc);

create table operation_step (
  id bigint primary key default next_id(),
  operation_id bigint not null references operation on delete cascade,
  step text not null,
  started timestamptz not null default now(),
  detail text not null default ''
);
create index operation_step_by_operation on operation_step (operation_id, id);

-- The right to boot an environment. Serving a script changes nothing here; check-in counts a boot; a claim gives it to one boot id.
create table ticket (
  nonce text primary key check (nonce ~ '^[0-9a-f]{32}$'),
  system_id text not null references machine on delete cascade,
  operation_id bigint not null references operation on delete cascade,
  purpose text not null check (purpose in ('commission', 'test', 'deploy', 'erase')),
  issued timestamptz not null default now(),
  expires timestamptz not null,
  boots_allowed integer not null,
  boots integer not null default 0,
  boot_id text,
  checked_in timestamptz,
  claimed timestamptz,
  plan jsonb,
  heartbeat timestamptz,
  progress text not null default '',
  spent timestamptz,
  outcome text check (outcome in ('done', 'failed')),
  detail text not null default '',
  voided timestamptz,
  void_reason text
);
create unique index ticket_one_live on ticket (system_id) where spent is null and voided is null;
create index ticket_by_operation on ticket (operation_id, issued);

-- Every boot that checked in, by the random id that it drew at start.
create table boot (
  boot_id text primary key check (boot_id ~ '^[0-9a-f]{32}$'),
  system_id text not null references machine on delete cascade,
  nonce text references ticket on delete cascade,
  purpose text not null,
  address inet not null,
  started timestamptz not null default now()
);
create index boot_by_machine on boot (system_id, started);

-- Credentials of machines. Only the hash of the token's secret is kept.
create table credential (
  token_key text primary key,
  consumer_key text not null,
  secret_hash bytea not null,
  system_id text not null references machine on delete cascade,
  kind text not null check (kind in ('boot', 'system')),
  boot_id text,
  nonce text,
  address inet,
  created timestamptz not null default now(),
  revoked timestamptz,
  user_data_seen timestamptz
);
create index credential_by_machine on credential (system_id) where revoked is null;

-- A power verb: the intent is committed here before anything is sent, and what was sent before it is sent (`sent_outcome` open). One live
-- per machine; a BMC does one call at a time (bmc.lease_until). Which call comes next is decided by cell/power/verb.ts.
create table power_verb (
  id bigint primary key default next_id(),
  bmc_id bigint references bmc on delete cascade,
  system_id text not null references machine on delete cascade,
  operation_id bigint references operation on delete cascade,
  nonce text,
  verb text not null check (verb in ('on', 'off', 'cycle')),
  state text not null default 'live' check (state in ('live', 'hands', 'done', 'failed', 'closed')),
  requested_by text not null,
  next_boot text check (next_boot in ('network', 'disk')),
  next_boot_ordered boolean not null default false,
  next_boot_failures integer not null default 0,
  soft boolean not null default false,
  -- Until then the machine is only looked at: it is about to do it by itself.
  not_before timestamptz,
  intended timestamptz not null default now(),
  sends integer not null default 0,
  first_sent timestamptz,
  sent timestamptz,
  sent_call text check (sent_call in ('on', 'off', 'cycle')),
  sent_outcome text check (sent_outcome in ('open', 'accepted', 'unknown', 'not-done')),
  sent_failure text,
  ended timestamptz,
  due_at timestamptz not null default now(),
  lease_until timestamptz,
  fence bigint not null default 0,
  evidence text not null default '',
  error text not null default ''
);
create unique index power_verb_one_live on power_verb (system_id) where state in ('live', 'hands');
create index power_verb_due on power_verb (due_at) where state in ('live', 'hands');
create index power_verb_by_operation on power_verb (operation_id, id);

create table script_result (
  id bigint primary key default next_id(),
  system_id text not null references machine on delete cascade,
  operation_id bigint references operation on delete cascade,
  name text not null,
  type smallint not null,
  status smallint not null default 0,
  exit_status integer,
  output bytea not null default '',
  stdout bytea not null default '',
  stderr bytea not null default '',
  result bytea not null default '',
  created timestamptz not null default now(),
  started timestamptz,
  ended timestamptz,
  runtime text,
  suppressed boolean not null default false
);
create index script_result_by_machine on script_result (system_id, id);
create index script_result_by_operation on script_result (operation_id);

create table finding (
  id bigint primary key default next_id(),
  kind text not null,
  subject text not null,
  system_id text,
  text text not null,
  data jsonb not null default '{}',
  count integer not null default 1,
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  resolved timestamptz,
  resolved_by text
);
create unique index finding_open on finding (kind, subject) where resolved is null;

create table idempotency (
  username text not null,
  key text not null,
  request text not null,
  status smallint,
  reply jsonb,
  created timestamptz not null default now(),
  primary key (username, key)
);
