-- What was asked of many machines at once: the operations of one call have its name.
alter table operation add column bulk text check (length(bulk) between 1 and 128);
create index operation_by_bulk on operation (bulk, system_id) where bulk is not null;
