/** Who in this cell refers to something global, and what the cell holds in all. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

const columns = { zone: 'zone_id', pool: 'pool_id', user: 'owner' } as const;

/** How many machines are in a zone or pool (by id), or are owned by a user (by name). */
export async function machinesWith(db: CellDb, kind: keyof typeof columns, value: number | string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from machine where ${sql.ref(columns[kind])} = ${value}`.execute(db);
  return rows[0]?.count ?? 0;
}

export async function vlansInSpace(db: CellDb, spaceId: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from vlan where space_id = ${spaceId}`.execute(db);
  return rows[0]?.count ?? 0;
}

export interface CellCounts {
  /** By the number of the state. */
  readonly machines: readonly { readonly status: number; readonly count: number }[];
  /** Open findings by kind. */
  readonly findings: readonly { readonly kind: string; readonly count: number }[];
}

export async function countCell(db: CellDb): Promise<CellCounts> {
  const { rows } = await sql<CellCounts>`
    select (select coalesce(json_agg(m), '[]') from (select status, count(*) as count from machine group by status) m) as machines,
           (select coalesce(json_agg(f), '[]') from (select kind, count(*) as count from finding where resolved is null group by kind) f) as findings`.execute(
    db,
  );
  return rows[0] ?? { machines: [], findings: [] };
}
