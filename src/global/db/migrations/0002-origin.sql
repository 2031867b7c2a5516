-- Whose revisions these are. No row: this database's own authority's. A replica notes the hub's key, so that it never mistakes the numbers of
-- another hub, or of its own time alone, for this one's; and an authority never starts over a replica.
create table global_origin (
  one boolean primary key default true check (one),
  hub_key text not null
);
