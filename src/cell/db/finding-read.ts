/** Reading findings, newest first, and dismissing one. */
import { sql } from 'kysely';
import type { FindingKind } from '../../contract/findings.ts';
import type { CellDb } from './cell-db.ts';
import { record } from './event-store.ts';
import type { RowPlace } from './operation-read.ts';

export interface FindingRow {
  readonly id: number;
  readonly kind: FindingKind;
  readonly subject: string;
  readonly system_id: string | null;
  readonly text: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly count: number;
  readonly first_seen: Date;
  readonly last_seen: Date;
  readonly resolved: Date | null;
  readonly resolved_by: string | null;
}

export interface FindingFilter {
  readonly id?: number;
  readonly machines?: readonly string[];
  readonly kinds: readonly FindingKind[];
  readonly resolvedToo: boolean;
  readonly behind?: RowPlace;
}

/** To the millisecond, as bodies show it. */
const seenAt = sql.raw("date_trunc('milliseconds', last_seen)");

/** At most `limit` findings, newest first: one statement. Kinds that this version does not know are not asked for. */
export async function readFindings(db: CellDb, filter: FindingFilter, limit: number): Promise<FindingRow[]> {
  const conditions = [
    sql`kind = any (${filter.kinds as string[]}::text[])`,
    ...(filter.id === undefined ? [] : [sql`id = ${filter.id}`]),
    ...(filter.machines === undefined ? [] : [sql`system_id = any (${filter.machines as string[]}::text[])`]),
    ...(filter.resolvedToo ? [] : [sql`resolved is null`]),
    ...(filter.behind === undefined ? [] : [sql`(${seenAt}, id) < (${filter.behind.at}::timestamptz, ${filter.behind.id}::bigint)`]),
  ];
  const { rows } = await sql<FindingRow>`
    select id, kind, subject, system_id, text, data, count, first_seen, last_seen, resolved, resolved_by
    from finding where ${sql.join(conditions, sql` and `)} order by ${seenAt} desc, id desc limit ${limit}`.execute(db);
  return rows;
}

/** Close an open finding. False when it was closed already. */
export async function dismissFinding(tx: CellDb, id: number, by: string, comment: string): Promise<boolean> {
  const { rows } = await sql<{ system_id: string | null; text: string }>`
    update finding set resolved = now(), resolved_by = ${by} where id = ${id} and resolved is null returning system_id, text`.execute(tx);
  const [closed] = rows;
  if (!closed) return false;
  await record(tx, {
    kind: 'finding_resolved',
    ...(closed.system_id === null ? {} : { systemId: closed.system_id }),
    username: by,
    description: comment === '' ? closed.text : `${closed.text} - ${comment}`,
    data: { finding: id },
  });
  return true;
}
