-- What an allocation's labels stand for (`constraints_by_type`), found when the claim took its machine and told when it is confirmed.
alter table claim add column matched jsonb;
