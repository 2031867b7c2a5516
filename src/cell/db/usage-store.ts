/** Who in this cell refers to something global, and what the cell holds in all. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export async function machinesInPool(db: CellDb, poolId: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from machine where pool_id = ${poolId}`.execute(db);
  return rows[0]?.count ?? 0;
}

export interface CellCounts {
  /** By the number of the state. */
  readonly machines: readonly { readonly status: number; readonly count: number }[];
  /** Operations that go on. */
  readonly operations: number;
  /** Open findings by kind. */
  readonly findings: readonly { readonly kind: string; readonly count: number }[];
}

export async function countCell(db: CellDb): Promise<CellCounts> {
  const { rows } = await sql<CellCounts>`
    select (select coalesce(json_agg(m), '[]') from (select status, count(*) as count from machine group by status) m) as machines,
           (select count(*)::int from operation where outcome = 'live') as operations,
           (select coalesce(json_agg(f), '[]') from (select kind, count(*) as count from finding where resolved is null group by kind) f) as findings`.execute(
    db,
  );
  return rows[0] ?? { machines: [], operations: 0, findings: [] };
}
