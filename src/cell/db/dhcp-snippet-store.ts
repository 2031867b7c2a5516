/** DHCP snippets with all values that they had. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface SnippetValueRow {
  readonly id: number;
  readonly value: string;
  /** As PostgreSQL writes it into JSON. */
  readonly created: string;
}

export interface DhcpSnippetRow {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly node: string | null;
  readonly hostname: string | null;
  readonly node_type: number | null;
  readonly subnet_id: number | null;
  readonly ip_range_id: number | null;
  /** Newest first: the first is in force. */
  readonly values: readonly SnippetValueRow[];
}

/** All snippets, or the one with this id, by id: one statement. */
export async function readDhcpSnippets(db: CellDb, id?: number): Promise<DhcpSnippetRow[]> {
  const { rows } = await sql<DhcpSnippetRow>`
    select s.id, s.name, s.description, s.enabled, s.node, n.hostname, n.node_type, s.subnet_id, s.ip_range_id,
      (select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'value', v.value, 'created', v.created) order by v.id desc), '[]')
       from dhcp_snippet_value v where v.snippet_id = s.id) as values
    from dhcp_snippet s left join node n on n.system_id = s.node
    where ${id ?? null}::bigint is null or s.id = ${id ?? null} order by s.id`.execute(db);
  return rows;
}

/** Nobody else changes it until the transaction ends; false when there is none. */
export async function lockDhcpSnippet(tx: CellDb, id: number): Promise<boolean> {
  return (await sql`select from dhcp_snippet where id = ${id} for update`.execute(tx)).rows.length === 1;
}

export interface SnippetSettings {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly node: string | null;
  readonly subnet_id: number | null;
  readonly ip_range_id: number | null;
}

export async function insertDhcpSnippet(tx: CellDb, snippet: SnippetSettings, value: string): Promise<number> {
  const { id } = await tx.insertInto('dhcp_snippet').values(snippet).returning('id').executeTakeFirstOrThrow();
  await addSnippetValue(tx, id, value);
  return id;
}

export async function updateDhcpSnippet(tx: CellDb, id: number, set: SnippetSettings): Promise<void> {
  await tx.updateTable('dhcp_snippet').set(set).where('id', '=', id).execute();
}

/** The most values that one snippet keeps; the oldest go. */
const most = 100;

export async function addSnippetValue(tx: CellDb, id: number, value: string): Promise<void> {
  await tx.insertInto('dhcp_snippet_value').values({ snippet_id: id, value }).execute();
  await sql`
    delete from dhcp_snippet_value where snippet_id = ${id} and id <= (
      select id from dhcp_snippet_value where snippet_id = ${id} order by id desc offset ${most} limit 1)`.execute(tx);
}

/** Forget the values that came after this one. */
export async function forgetLaterValues(tx: CellDb, id: number, valueId: number): Promise<void> {
  await tx.deleteFrom('dhcp_snippet_value').where('snippet_id', '=', id).where('id', '>', valueId).execute();
}

export async function deleteDhcpSnippet(tx: CellDb, id: number): Promise<boolean> {
  return (await tx.deleteFrom('dhcp_snippet').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n;
}
