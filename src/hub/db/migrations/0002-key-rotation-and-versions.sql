-- Changes of the hub's key. The announcement is signed by the old and the new key; every process of the hub serves all of them, so that a
-- member that was away can follow. sealed_key: the new private key, encrypted under the old one, for the other processes of this hub;
-- forgotten after a day.
create table hub_key_rotation (
  from_key text primary key,
  to_key text not null unique,
  announcement text not null,
  sealed_key text,
  at timestamptz not null default now(),
  by text not null
);

-- The program version that each member last said, kept for good: who is away now may come back with an old one. Written when it changes.
create table member_version (
  role text not null,
  name text not null,
  version text not null,
  seen_at timestamptz not null default now(),
  primary key (role, name)
);
