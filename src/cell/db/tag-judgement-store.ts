/** How far this cell is with judging its machines by the definitions of tags. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { recordAll } from './event-store.ts';

export interface TagJudgementRow {
  readonly tag_id: number;
  readonly definition: string | null;
  readonly rebuilds: number;
  readonly problem: string | null;
}

/** A judgement as it is kept: `due` when its problem is to be tried again. */
export interface KeptJudgement extends TagJudgementRow {
  readonly due: boolean;
}

/** Seconds until a definition that could not be judged is tried again. */
const retryAfter = 600;

/** Seconds after which somebody else may do what a process began; each page of machines renews them. */
const lease = 60;

export async function readJudgements(db: CellDb): Promise<Map<number, KeptJudgement>> {
  const { rows } = await sql<KeptJudgement>`
    select tag_id, definition, rebuilds, problem, coalesce(retry_at <= now(), false) as due from tag_judgement`.execute(db);
  return new Map(rows.map((row) => [row.tag_id, row]));
}

/** Begin to judge all machines by this tag, at this moment of the database's clock; undefined when another process is doing it. */
export async function takeJudgement(db: CellDb, tagId: number): Promise<Date | undefined> {
  const { rows } = await sql<{ began: Date }>`
    insert into tag_judgement (tag_id, lease_until) values (${tagId}, now() + ${lease} * interval '1 second')
    on conflict (tag_id) do update set lease_until = excluded.lease_until
    where tag_judgement.lease_until is null or tag_judgement.lease_until < now()
    returning now() as began`.execute(db);
  return rows[0]?.began;
}

export async function renewJudgement(db: CellDb, tagId: number): Promise<void> {
  await sql`update tag_judgement set lease_until = now() + ${lease} * interval '1 second' where tag_id = ${tagId}`.execute(db);
}

/** Let another process, or this one later, take it. */
export async function leaveJudgement(db: CellDb, tagId: number): Promise<void> {
  await sql`update tag_judgement set lease_until = null where tag_id = ${tagId}`.execute(db);
}

/** What became of it. */
export async function keepJudgement(tx: CellDb, row: TagJudgementRow): Promise<void> {
  await sql`
    insert into tag_judgement (tag_id, definition, rebuilds, problem, retry_at)
    values (${row.tag_id}, ${row.definition}, ${row.rebuilds}, ${row.problem},
            case when ${row.problem}::text is not null then now() + ${retryAfter} * interval '1 second' end)
    on conflict (tag_id) do update
    set definition = excluded.definition, rebuilds = excluded.rebuilds, problem = excluded.problem, retry_at = excluded.retry_at,
        lease_until = null`.execute(tx);
}

/** Forget tags that have no definition any more, or are no more. */
export async function forgetJudgements(db: CellDb, tagIds: readonly number[]): Promise<void> {
  await sql`delete from tag_judgement where tag_id = any (${tagIds as number[]}::bigint[])`.execute(db);
}

export interface DocumentsOfMachine {
  readonly system_id: string;
  readonly lshw: Buffer | null;
  readonly lldp: Buffer | null;
  readonly updated: Date | null;
}

/** A page of all machines by system_id, with their documents. */
export async function documentsBehind(db: CellDb, after: string, limit: number): Promise<DocumentsOfMachine[]> {
  const { rows } = await sql<DocumentsOfMachine>`
    select m.system_id, h.lshw, h.lldp, h.updated
    from machine m left join machine_hardware h on h.system_id = m.system_id
    where m.system_id > ${after} order by m.system_id limit ${limit}`.execute(db);
  return rows;
}

/** Machines whose documents changed since they were last judged. */
export async function unjudged(db: CellDb, limit: number): Promise<DocumentsOfMachine[]> {
  const { rows } = await sql<DocumentsOfMachine>`
    select system_id, lshw, lldp, updated from machine_hardware where not judged order by system_id limit ${limit}`.execute(db);
  return rows;
}

/** They have been judged by every definition, unless they changed again meanwhile. */
export async function markJudged(tx: CellDb, machines: readonly DocumentsOfMachine[]): Promise<void> {
  await sql`
    update machine_hardware h set judged = true
    from unnest(${machines.map((one) => one.system_id)}::text[], ${machines.map((one) => one.updated)}::timestamptz[]) as seen (system_id, updated)
    where h.system_id = seen.system_id and date_trunc('milliseconds', h.updated) = date_trunc('milliseconds', seen.updated)`.execute(tx);
}

/** Machines that changed while all were judged by what they were before are judged once more. */
export async function judgeAgain(tx: CellDb, since: Date): Promise<void> {
  await sql`update machine_hardware set judged = false where judged and updated >= ${since}`.execute(tx);
}

/**
 * Give the tag to those of `judged` that are in `matching` and take it off the others; `judged` left out: all machines but those of `unread`.
 * Two statements, and an event for each machine that changed.
 */
export async function setMembers(
  tx: CellDb,
  tag: { readonly id: number; readonly name: string },
  matching: readonly string[],
  { judged, unread = [] }: { readonly judged?: readonly string[]; readonly unread?: readonly string[] },
): Promise<number> {
  const among =
    judged === undefined ? sql`g.system_id <> all (${unread as string[]}::text[])` : sql`g.system_id = any (${judged as string[]}::text[])`;
  const taken = await sql<{ system_id: string }>`
    delete from machine_tag g using machine m
    where m.system_id = g.system_id and g.tag_id = ${tag.id} and ${among} and g.system_id <> all (${matching as string[]}::text[])
    returning g.system_id`.execute(tx);
  const given = await sql<{ system_id: string }>`
    insert into machine_tag (system_id, tag_id)
    select m.system_id, ${tag.id}::bigint from machine m where m.system_id = any (${matching as string[]}::text[])
    order by m.system_id for key share
    on conflict do nothing returning system_id`.execute(tx);
  const event = (systemId: string, did: string) =>
    ({ kind: 'tags_changed', systemId, description: `Tag ${tag.name} ${did} by its definition` }) as const;
  await recordAll(tx, [
    ...given.rows.map((row) => event(row.system_id, 'added')),
    ...taken.rows.map((row) => event(row.system_id, 'removed')),
  ]);
  return given.rows.length + taken.rows.length;
}
