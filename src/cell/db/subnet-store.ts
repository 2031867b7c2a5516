/** Subnets and the addresses in them. Reads of the subnets themselves are in network-read.ts. */
import { sql } from 'kysely';
import type { Insertable, Updateable } from 'kysely';
import type { CellDb } from './cell-db.ts';
import type { SubnetTable } from './schema.ts';

/** The CIDR of a subnet that overlaps this network, other than the one with `id`. */
export async function overlappingSubnet(tx: CellDb, cidr: string, id?: number): Promise<string | undefined> {
  const { rows } = await sql<{ cidr: string }>`
    select cidr::text from subnet where cidr && ${cidr}::cidr and id is distinct from ${id ?? null}::bigint order by cidr limit 1`.execute(
    tx,
  );
  return rows[0]?.cidr;
}

export async function insertSubnet(tx: CellDb, subnet: Insertable<SubnetTable>): Promise<number> {
  return (await tx.insertInto('subnet').values(subnet).returning('id').executeTakeFirstOrThrow()).id;
}

export async function updateSubnet(tx: CellDb, id: number, set: Updateable<SubnetTable>): Promise<void> {
  if (Object.keys(set).length > 0) await tx.updateTable('subnet').set(set).where('id', '=', id).execute();
}

/** The subnet, its ranges, and the links to it. */
export async function deleteSubnet(tx: CellDb, id: number): Promise<void> {
  await tx.deleteFrom('interface_link').where('subnet_id', '=', id).execute();
  await tx.deleteFrom('subnet').where('id', '=', id).execute();
}

export interface SubnetUse {
  /** With an address, and without one (auto and DHCP before a deployment). */
  readonly links: number;
  readonly machines: number;
  /** Taken by users, and reserved IPs. */
  readonly addresses: number;
}

export async function useOfSubnet(tx: CellDb, subnetId: number): Promise<SubnetUse> {
  const { rows } = await sql<SubnetUse>`
    select count(*) as links, count(distinct i.system_id) as machines,
           (select count(*) from ip_address where subnet_id = ${subnetId}) + (select count(*) from reserved_ip where subnet_id = ${subnetId}) as addresses
    from interface_link l join interface i on i.id = l.interface_id where l.subnet_id = ${subnetId}`.execute(tx);
  return rows[0] ?? { links: 0, machines: 0, addresses: 0 };
}

/** Is an address that somebody has, the router of a static route, or a range of this subnet outside of `cidr`? */
export async function leavesOut(tx: CellDb, subnetId: number, cidr: string): Promise<boolean> {
  const { rows } = await sql`
    select from ip_range where subnet_id = ${subnetId} and not (start_ip <<= ${cidr}::cidr and end_ip <<= ${cidr}::cidr)
    union all
    select from interface_link where subnet_id = ${subnetId} and ip is not null and not ip <<= ${cidr}::cidr
    union all
    select from ip_address where subnet_id = ${subnetId} and not ip <<= ${cidr}::cidr
    union all
    select from reserved_ip where subnet_id = ${subnetId} and not ip <<= ${cidr}::cidr
    union all
    select from static_route where source_id = ${subnetId} and not gateway_ip <<= ${cidr}::cidr
    limit 1`.execute(tx);
  return rows.length > 0;
}

/**
 * Who has this address, in words (`machine web1`, `user ann`, `MAC 52:54:00:00:00:01`); undefined when nobody has it. What is kept for the MAC of
 * the interface that asks is free for it.
 */
export async function holderOf(tx: CellDb, ip: string, forInterface?: number): Promise<string | undefined> {
  const { rows } = await sql<{ holder: string }>`
    with asker as (select mac from interface where id = ${forInterface ?? null}::bigint)
    select case n.node_type when 1 then 'device ' else 'machine ' end || n.hostname as holder
    from interface_link l join interface i on i.id = l.interface_id join node n on n.system_id = i.system_id where l.ip = ${ip}::inet
    union all
    select 'user ' || owner from ip_address where ip = ${ip}::inet and mac is distinct from coalesce((select mac from asker), '')
    union all
    select 'MAC ' || mac from reserved_ip where ip = ${ip}::inet and mac is distinct from (select mac from asker)
    limit 1`.execute(tx);
  return rows[0]?.holder;
}

/**
 * The first address that nobody has. In a managed subnet: outside of every range; in one that is not: inside a reserved range.
 * The caller holds the subnet's lock. Undefined when there is none among the first 65,534.
 */
export async function freeAddress(tx: CellDb, subnetId: number): Promise<string | undefined> {
  const { rows } = await sql<{ ip: string }>`
    with place as (
      select id, cidr, managed, gateway_ip, dns_servers, case family(cidr) when 4 then 32 else 128 end as bits from subnet where id = ${subnetId}),
    bound as (
      select *, case when bits - masklen(cidr) >= 16 then 65534
                     when bits - masklen(cidr) <= 1 then (2 ^ (bits - masklen(cidr)))::int - 1
                     else (2 ^ (bits - masklen(cidr)))::int - case bits when 32 then 2 else 1 end end as last,
              case when bits - masklen(cidr) <= 1 then 0 else 1 end as first
      from place),
    blocks as (
      select start_ip, end_ip from ip_range where subnet_id = ${subnetId} and type = 'reserved' and not (select managed from place)
      union all
      select host(cidr)::inet + first, host(cidr)::inet + last from bound where managed
      order by start_ip)
    select host(candidate) as ip
    from bound, blocks, lateral (
      -- The difference of two IPv6 addresses may not fit a bigint.
      select blocks.start_ip + n as candidate
      from generate_series(0, case family(blocks.start_ip) when 4 then least(65534, blocks.end_ip - blocks.start_ip) else 65534 end) n) c
    where candidate <= blocks.end_ip and candidate is distinct from gateway_ip and candidate <> all (dns_servers)
      and not exists (select from ip_range r where r.subnet_id = bound.id and (managed or r.type = 'dynamic') and candidate between r.start_ip and r.end_ip)
      and not exists (select from interface_link l where l.ip = candidate)
      and not exists (select from ip_address a where a.ip = candidate)
      and not exists (select from reserved_ip r where r.ip = candidate)
      and not exists (select from dns_address d where d.ip = candidate)
    limit 1`.execute(tx);
  return rows[0]?.ip;
}

export interface TakenAddress {
  readonly ip: string;
  /** The mode of a link, `user`, or `reserved_ip`. */
  readonly mode: string;
  readonly created: Date;
  readonly interface: string | null;
  readonly system_id: string | null;
  readonly node_type: number | null;
  readonly hostname: string | null;
  readonly domain: string | null;
  readonly owner: string | null;
}

/** The addresses of a subnet that somebody has, lowest first. */
export async function takenAddresses(db: CellDb, subnetId: number): Promise<TakenAddress[]> {
  const { rows } = await sql<TakenAddress>`
    select host(a.ip) as ip, mode, created, interface, system_id, node_type, hostname, domain, owner from (
      select l.ip, l.mode, l.created, i.name as interface, n.system_id, n.node_type, n.hostname, d.name as domain, coalesce(m.owner, e.owner) as owner
      from interface_link l join interface i on i.id = l.interface_id join node n on n.system_id = i.system_id join domain d on d.id = n.domain_id
        left join machine m on m.system_id = n.system_id left join device e on e.system_id = n.system_id
      where l.subnet_id = ${subnetId} and l.ip is not null
      union all
      select ip, 'user', created, null, null, null, null, null, owner from ip_address where subnet_id = ${subnetId}
      union all
      select ip, 'reserved_ip', created, null, null, null, null, null, null from reserved_ip r
      where subnet_id = ${subnetId} and not exists (select from interface_link l where l.ip = r.ip)) a
    order by a.ip`.execute(db);
  return rows;
}
