-- The announcements that led from the key of the joining to hub_key, oldest first: another process of the cell may have been away.
alter table global_origin add column rotations text[] not null default '{}';

-- A random word for each write. A replica says the one of its revision when it asks for more: a hub that has lost its latest writes, and
-- has written others under the same numbers, is found out.
alter table global_revision add column mark text not null default '';
alter table global_change add column mark text not null default '';
