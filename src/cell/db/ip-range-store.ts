/** IP ranges. Every write is one statement that checks, made under the subnet's lock (network-guard.ts). */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface IpRangeRow {
  readonly id: number;
  readonly subnet_id: number;
  readonly type: 'dynamic' | 'reserved';
  readonly start_ip: string;
  readonly end_ip: string;
  readonly comment: string;
  readonly owner: string | null;
}

/** All ranges, or those with one id or in one subnet, by id. */
export async function readRanges(db: CellDb, only: { readonly id?: number; readonly subnetId?: number } = {}): Promise<IpRangeRow[]> {
  const { rows } = await sql<IpRangeRow>`
    select id, subnet_id, type, host(start_ip) as start_ip, host(end_ip) as end_ip, comment, owner from ip_range
    where (${only.id ?? null}::bigint is null or id = ${only.id ?? null}) and (${only.subnetId ?? null}::bigint is null or subnet_id = ${only.subnetId ?? null})
    order by id`.execute(db);
  return rows;
}

export interface WantedRange {
  /** Of the range that is changed; left out for a new one. */
  readonly id?: number;
  readonly subnetId: number;
  readonly type: 'dynamic' | 'reserved';
  readonly start: string;
  readonly end: string;
  readonly comment: string;
  readonly owner: string;
}

/** What is in the way of a range: another range, or the address that somebody has. */
export async function obstacleOf(tx: CellDb, wanted: WantedRange): Promise<string | undefined> {
  const { rows } = await sql<{ what: string }>`
    select type || ' range ' || host(start_ip) || ' to ' || host(end_ip) as what from ip_range
    where start_ip <= ${wanted.end}::inet and end_ip >= ${wanted.start}::inet and id is distinct from ${wanted.id ?? null}::bigint
      and subnet_id = ${wanted.subnetId}
    union all
    select 'address ' || host(l.ip) || ' of ' || case n.node_type when 1 then 'device ' else 'machine ' end || n.hostname
    from interface_link l join interface i on i.id = l.interface_id join node n on n.system_id = i.system_id
    where l.ip between ${wanted.start}::inet and ${wanted.end}::inet
    union all
    select 'address ' || host(ip) || ' of user ' || owner from ip_address
    where ip between ${wanted.start}::inet and ${wanted.end}::inet and (${wanted.type} = 'dynamic' or owner <> ${wanted.owner})
    limit 1`.execute(tx);
  return rows[0]?.what;
}

/** A new range, or another extent of an old one; returns its id. */
export async function putRange(tx: CellDb, range: WantedRange): Promise<number> {
  const { rows } =
    range.id === undefined
      ? await sql<{ id: number }>`
          insert into ip_range (subnet_id, type, start_ip, end_ip, comment, owner)
          values (${range.subnetId}, ${range.type}, ${range.start}::inet, ${range.end}::inet, ${range.comment}, ${range.owner}) returning id`.execute(
          tx,
        )
      : await sql<{ id: number }>`
          update ip_range set start_ip = ${range.start}::inet, end_ip = ${range.end}::inet, comment = ${range.comment}
          where id = ${range.id} returning id`.execute(tx);
  return rows[0]?.id ?? 0;
}

export async function deleteRange(tx: CellDb, id: number): Promise<boolean> {
  return (await tx.deleteFrom('ip_range').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n;
}
