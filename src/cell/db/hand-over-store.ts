/** A cell's rows when its global objects become the hub's: the same things under the hub's ids. Statements by kind, whatever the number of rows. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

/** Its id here → its id at the hub. */
export type IdMap = ReadonlyMap<number, number>;

/** Rows that named something which is gone, by what: they have the default now, or nothing. */
export interface LetGo {
  readonly zone: number;
  readonly pool: number;
  readonly tag: number;
  readonly space: number;
}

const asRows = (map: IdMap) =>
  sql`jsonb_to_recordset(${JSON.stringify([...map].map(([was, now]) => ({ was, now })))}::jsonb) as map (was bigint, now bigint)`;

async function moved(
  tx: CellDb,
  table: 'machine' | 'device' | 'controller',
  column: 'zone_id' | 'pool_id',
  map: IdMap,
  fallback: number,
): Promise<number> {
  const { rows } = await sql<{ lost: number }>`
    with seen as (
      select m.system_id, map.now from ${sql.table(table)} m left join ${asRows(map)} on map.was = m.${sql.ref(column)}),
    changed as (
      update ${sql.table(table)} m set ${sql.ref(column)} = coalesce(seen.now, ${fallback}) from seen where seen.system_id = m.system_id)
    select count(*)::int as lost from seen where now is null`.execute(tx);
  return rows[0]?.lost ?? 0;
}

async function tagsMoved(tx: CellDb, map: IdMap): Promise<number> {
  const gone = await sql`delete from machine_tag t where not exists (select from ${asRows(map)} where map.was = t.tag_id)`.execute(tx);
  // By way of negative numbers: two tags may change places, and no machine may have one of them twice meanwhile.
  await sql`update machine_tag t set tag_id = -1 - map.now from ${asRows(map)} where map.was = t.tag_id`.execute(tx);
  await sql`update machine_tag set tag_id = -1 - tag_id where tag_id < 0`.execute(tx);
  return Number(gone.numAffectedRows ?? 0n);
}

async function spacesMoved(tx: CellDb, map: IdMap): Promise<number> {
  const { rows } = await sql<{ lost: number }>`
    with seen as (
      select v.id, map.now from vlan v left join ${asRows(map)} on map.was = v.space_id where v.space_id is not null),
    changed as (update vlan v set space_id = seen.now from seen where seen.id = v.id)
    select count(*)::int as lost from seen where now is null`.execute(tx);
  return rows[0]?.lost ?? 0;
}

/** Rename every reference, all at once: two things may have changed their ids with each other. */
export async function renameReferences(
  tx: CellDb,
  maps: { readonly zone: IdMap; readonly pool: IdMap; readonly tag: IdMap; readonly space: IdMap },
  defaults: { readonly zone: number; readonly pool: number },
): Promise<LetGo> {
  let zone = 0;
  for (const table of ['machine', 'device', 'controller'] as const) zone += await moved(tx, table, 'zone_id', maps.zone, defaults.zone);
  return {
    zone,
    pool: await moved(tx, 'machine', 'pool_id', maps.pool, defaults.pool),
    tag: await tagsMoved(tx, maps.tag),
    space: await spacesMoved(tx, maps.space),
  };
}

/** Is there a cell in this database at all? */
export async function hasCell(db: CellDb): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`select to_regclass('cell_identity') is not null as there`.execute(db);
  return rows[0]?.there === true;
}

/** Who it is; undefined when it has never started. */
export async function readIdentity(db: CellDb): Promise<{ readonly number: number; readonly name: string } | undefined> {
  return db.selectFrom('cell_identity').select(['number', 'name']).executeTakeFirst();
}

/** Connections of running cells to this database. */
export async function connectionsOfCells(db: CellDb): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and application_name like 'muster cell %' and pid <> pg_backend_pid()`.execute(db);
  return rows[0]?.count ?? 0;
}
