/** Static routes. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface StaticRouteRow {
  readonly id: number;
  readonly source_id: number;
  readonly destination_id: number;
  readonly gateway_ip: string;
  readonly metric: number;
}

/** All routes, or the one with this id, by id. */
export async function readStaticRoutes(db: CellDb, id?: number): Promise<StaticRouteRow[]> {
  const { rows } = await sql<StaticRouteRow>`
    select id, source_id, destination_id, host(gateway_ip) as gateway_ip, metric from static_route
    where ${id ?? null}::bigint is null or id = ${id ?? null} order by id`.execute(db);
  return rows;
}

/** @throws UniqueViolation `static_route_source_id_destination_id_gateway_ip_key`. */
export async function insertStaticRoute(tx: CellDb, route: Omit<StaticRouteRow, 'id'>): Promise<number> {
  return (await tx.insertInto('static_route').values(route).returning('id').executeTakeFirstOrThrow()).id;
}

export async function updateStaticRoute(tx: CellDb, { id, ...route }: StaticRouteRow): Promise<boolean> {
  return (await tx.updateTable('static_route').set(route).where('id', '=', id).executeTakeFirst()).numUpdatedRows === 1n;
}

export async function deleteStaticRoute(tx: CellDb, id: number): Promise<boolean> {
  return (await tx.deleteFrom('static_route').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n;
}
