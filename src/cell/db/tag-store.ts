/** Which machines have which tag. Tags themselves are global documents and are known here by id. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

/** Put a tag on those of these nodes that exist and have it not yet; returns them. */
export async function addTag(tx: CellDb, tagId: number, systemIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ system_id: string }>`
    insert into machine_tag (system_id, tag_id)
    select n.system_id, ${tagId}::bigint from node n where n.system_id = any (${systemIds as string[]}::text[]) order by n.system_id for key share
    on conflict do nothing returning system_id`.execute(tx);
  return rows.map((row) => row.system_id);
}

/** Take it off those that have it; returns them. */
export async function removeTag(tx: CellDb, tagId: number, systemIds: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ system_id: string }>`
    delete from machine_tag where tag_id = ${tagId} and system_id = any (${systemIds as string[]}::text[]) returning system_id`.execute(tx);
  return rows.map((row) => row.system_id);
}

/** The ids of all tags that a machine has, retired ones too, with how many have each. */
export async function referencedTags(db: CellDb): Promise<Map<number, number>> {
  const { rows } = await sql<{ tag_id: number; machines: number }>`
    select tag_id, count(*) as machines from machine_tag group by tag_id order by tag_id`.execute(db);
  return new Map(rows.map((row) => [row.tag_id, row.machines]));
}
