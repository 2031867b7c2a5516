-- Every claim that was ever made here, for as long as a message about it may still be under way (cell/db/claim-rules.ts): one that is
-- over never takes a machine again, however late it comes. What a claim holds now is in machine.claim_id.
create table claim (
  id uuid primary key,
  owner text not null,
  state text not null check (state in ('held', 'kept', 'over')),
  system_id text,
  since timestamptz not null default now(),
  -- When the front had written its reply, or the owner had touched the machine.
  delivered timestamptz
);
create index claim_by_age on claim (since);
create index claim_undelivered on claim (since) where state = 'kept' and delivered is null;
-- A claim has one machine at most.
create unique index machine_by_claim on machine (claim_id) where claim_id is not null;
