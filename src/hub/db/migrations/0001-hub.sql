-- What only the hub has.

-- One-time tokens for joining, as SHA-256. Used ones stay: their numbers are never given again, and a join whose answer was lost can be
-- asked again by the same key.
create table join_token (
  hash text primary key,
  role text not null check (role in ('cell', 'front')),
  name text not null,
  number int not null,
  made_at timestamptz not null default now(),
  made_by text not null,
  expires_at timestamptz not null,
  used_by_key text
);
create index join_token_number on join_token (role, number);

-- How far each connected process has applied the feed. Unlogged: after a crash nobody is connected, and their next polls say it again.
create unlogged table replica_progress (
  role text not null,
  name text not null,
  process text not null,
  version text not null default '',
  access_epoch bigint not null default 0,
  access_n bigint not null default 0,
  config_epoch bigint not null default 0,
  config_n bigint not null default 0,
  seen_at timestamptz not null default now(),
  primary key (role, name, process)
);
