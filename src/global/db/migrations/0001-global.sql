-- Global config: the same tables in the authority (hub or standalone cell) and in a joined cell, which only ever fills two of them.

-- Where each stream is. The authority draws n from here under the row's lock, so commit order and number agree; a replica notes how far it is.
create table global_revision (
  stream text primary key check (stream in ('access', 'config')),
  epoch bigint not null check (epoch >= 0),
  n bigint not null check (n >= 0)
);

-- The current state of every document. Retired, never deleted.
create table global_document (
  kind text not null,
  id text not null,
  stream text not null references global_revision,
  epoch bigint not null,
  n bigint not null,
  retired boolean not null,
  body jsonb not null,
  primary key (kind, id)
);
create index global_document_by_revision on global_document (stream, epoch, n);

-- What was changed, when and by whom: the authority's immutable log, from which the feed is served.
create table global_change (
  stream text not null references global_revision,
  epoch bigint not null,
  n bigint not null,
  kind text not null,
  id text not null,
  retired boolean not null,
  body jsonb not null,
  at timestamptz not null default now(),
  by text not null,
  primary key (stream, epoch, n)
);

-- The authority's own, never replicated: a stolen cell holds nothing to guess passwords from.
create table password_verifier (
  user_id bigint primary key,
  verifier text not null
);

-- Integer ids of cell 0. 0 and 1 are the default pool and zone; people start at 2.
create sequence global_id start 2;
