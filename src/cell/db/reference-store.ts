/** What rows of this cell name by global ids, and letting go of what is retired: a constant number of statements, whatever the number of rows. */
import { sql } from 'kysely';
import { findingKinds, findingText } from '../../contract/findings.ts';
import type { Database } from '../../postgres/database.ts';
import type { CellDb } from './cell-db.ts';
import { recordAll } from './event-store.ts';
import type { CellTables } from './schema.ts';

export type ReferredKind = 'zone' | 'pool' | 'tag' | 'space' | 'user';

/** Something global that rows of this cell name. */
export interface Reference {
  readonly kind: ReferredKind;
  /** Its id; a user's name. */
  readonly id: string;
  /** How many rows do: nodes for a zone or tag; machines for a pool; VLANs for a space; machines, devices and addresses for a user. */
  readonly count: number;
}

/** All of them: one statement. */
export async function readReferences(db: CellDb): Promise<Reference[]> {
  const { rows } = await sql<Reference>`
    select 'zone' as kind, zone_id::text as id, count(*) as count from (
      select zone_id from machine union all select zone_id from device union all select zone_id from controller) placed group by zone_id
    union all select 'pool', pool_id::text, count(*) from machine group by pool_id
    union all select 'tag', tag_id::text, count(*) from machine_tag group by tag_id
    union all select 'space', space_id::text, count(*) from vlan where space_id is not null group by space_id
    union all select 'user', owner, count(*) from (
      select owner from machine where owner is not null union all select owner from device where owner is not null
      union all select owner from ip_range where owner is not null union all select owner from ip_address) owned group by owner
    order by 1, 2`.execute(db);
  return rows;
}

/** Ids to let go of: zones (their nodes go to `defaultZone`), tags, spaces. */
export interface LetGo {
  readonly zones: readonly number[];
  readonly tags: readonly number[];
  readonly spaces: readonly number[];
}

export interface Dangling {
  /** Tells it apart from others: `pool/7`. */
  readonly subject: string;
  readonly data: Readonly<Record<string, string | number>>;
}

/** Take references to retired zones, tags and spaces away. `nameOf`: what a zone or tag was called. One statement a kind, one for events. */
export async function letGo(
  database: Database<CellTables>,
  { zones, tags, spaces }: LetGo,
  defaultZone: number,
  nameOf: (kind: 'zone' | 'tag', id: number) => string,
): Promise<void> {
  await database.transaction(async (tx) => {
    const moved = await sql<{ system_id: string; id: number }>`
      with gone as (
        select system_id, zone_id as id from machine where zone_id = any (${zones as number[]}::bigint[]) order by system_id for update
      )
      update machine m set zone_id = ${defaultZone}, updated = now() from gone where m.system_id = gone.system_id
      returning m.system_id, gone.id`.execute(tx);
    const movedToo = await sql<{ system_id: string; id: number }>`
      with gone as (
        select system_id, zone_id as id from device where zone_id = any (${zones as number[]}::bigint[]) order by system_id for update
      )
      update device d set zone_id = ${defaultZone}, updated = now() from gone where d.system_id = gone.system_id
      returning d.system_id, gone.id`.execute(tx);
    await sql`update controller set zone_id = ${defaultZone} where zone_id = any (${zones as number[]}::bigint[])`.execute(tx);
    const untagged = await sql<{ system_id: string; id: number }>`
      delete from machine_tag where tag_id = any (${tags as number[]}::bigint[]) returning system_id, tag_id as id`.execute(tx);
    const apart = await sql<{ name: string }>`
      update vlan set space_id = null where space_id = any (${spaces as number[]}::bigint[]) returning name`.execute(tx);
    await recordAll(tx, [
      ...moved.rows.map(({ system_id, id }) => ({
        kind: 'machine_updated' as const,
        systemId: system_id,
        description: `zone: ${nameOf('zone', id)} is retired, the default one takes its place`,
      })),
      ...movedToo.rows.map(({ system_id, id }) => ({
        kind: 'device_updated' as const,
        systemId: system_id,
        description: `zone: ${nameOf('zone', id)} is retired, the default one takes its place`,
      })),
      ...untagged.rows.map(({ system_id, id }) => ({
        kind: 'tags_changed' as const,
        systemId: system_id,
        description: `Tag ${nameOf('tag', id)} is retired`,
      })),
      ...apart.rows.map(({ name }) => ({ kind: 'network_changed' as const, description: `The space of VLAN ${name} is retired` })),
    ]);
  });
}

/**
 * Keep the findings `dangling_reference` as they should be: one open for each of these, none for anything else. A finding that a person has
 * dismissed stays so until something about it changes. Three statements.
 */
export async function keepDangling(database: Database<CellTables>, dangling: readonly Dangling[]): Promise<void> {
  const kind = 'dangling_reference';
  const { severity } = findingKinds[kind];
  const wanted = dangling.map(({ subject, data }) => ({ subject, data, text: findingText(kind, data) }));
  await database.transaction(async (tx) => {
    const opened = await sql<{ id: number; text: string; is_new: boolean }>`
      insert into finding as f (kind, subject, text, data)
      select ${kind}, w.subject, w.text, w.data
      from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as w (subject text, text text, data jsonb)
      where not coalesce((
        select d.data = w.data and d.resolved_by <> 'system' from finding d
        where d.kind = ${kind} and d.subject = w.subject and d.resolved is not null order by d.id desc limit 1), false)
      on conflict (kind, subject) where resolved is null
      do update set text = excluded.text, data = excluded.data, last_seen = now() where f.data is distinct from excluded.data
      returning f.id, f.text, (f.xmax = 0) as is_new`.execute(tx);
    const closed = await sql<{ id: number; text: string }>`
      update finding set resolved = now(), resolved_by = 'system'
      where kind = ${kind} and resolved is null and subject <> all (${wanted.map(({ subject }) => subject)}::text[])
      returning id, text`.execute(tx);
    await recordAll(tx, [
      ...opened.rows
        .filter((row) => row.is_new)
        .map(({ id, text }) => ({ kind: 'finding_opened' as const, description: text, data: { finding: id, severity } })),
      ...closed.rows.map(({ id, text }) => ({ kind: 'finding_resolved' as const, description: text, data: { finding: id } })),
    ]);
  });
}

/** What the open findings of this kind say, by subject: whoever wants just these has nothing to do. */
export async function openDangling(db: CellDb): Promise<ReadonlyMap<string, unknown>> {
  const { rows } = await sql<{ subject: string; data: unknown }>`
    select subject, data from finding where kind = 'dangling_reference' and resolved is null`.execute(db);
  return new Map(rows.map((row) => [row.subject, row.data]));
}
