-- Every number that a cell or front was ever given, by an invitation or because it brought its own: none of them is given to another.
-- `drawn`: the hub chose it. `epoch`: of the hub's database at that moment; after a restore the hub goes on far above the numbers of before,
-- because it does not know which it gave in the lost time.
create table given_number (
  role text not null check (role in ('cell', 'front')),
  number int not null,
  name text not null,
  drawn boolean not null,
  epoch bigint not null,
  given_at timestamptz not null default now(),
  primary key (role, number)
);
insert into given_number (role, number, name, drawn, epoch)
select distinct on (role, number) role, number, name, true, 1 from join_token order by role, number, made_at desc;
insert into given_number (role, number, name, drawn, epoch)
select kind, (body->>'number')::int, body->>'name', false, 1 from global_document where kind in ('cell', 'front')
on conflict do nothing;

-- An invitation to one that has joined already: it keeps its number. `replace_key`: it may show another key than the registered one.
alter table join_token add column rejoins boolean not null default false, add column replace_key boolean not null default false;
