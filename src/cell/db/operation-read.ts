/** Reading operations with their steps, newest first. */
import { sql } from 'kysely';
import type { OperationKind, OperationOutcome } from '../../contract/operation.ts';
import type { CellDb } from './cell-db.ts';

export interface OperationRow {
  readonly id: number;
  readonly system_id: string;
  readonly hostname: string;
  readonly kind: OperationKind;
  readonly outcome: OperationOutcome;
  readonly step: string;
  readonly note: string;
  readonly error: string;
  readonly requested_by: string;
  readonly bulk: string | null;
  readonly waits_for_hands: boolean;
  readonly abort_asked: boolean;
  readonly attempt: number;
  readonly plan_version: number;
  readonly started: Date;
  readonly deadline: Date;
  readonly ended: Date | null;
  /** Times as PostgreSQL writes them into JSON. */
  readonly steps: readonly { readonly step: string; readonly started: string; readonly detail: string }[];
}

export interface OperationFilter {
  readonly id?: number;
  readonly machines?: readonly string[];
  readonly kinds?: readonly OperationKind[];
  readonly outcomes?: readonly OperationOutcome[];
  readonly bulks?: readonly string[];
  readonly behind?: RowPlace;
}

/** A place in a list that is newest first: the time to the millisecond, as bodies show it (a front merges by that), then the id. */
export interface RowPlace {
  readonly at: string;
  readonly id: number;
}

const oneOf = (column: string, values: readonly string[] | undefined) =>
  values === undefined ? sql`true` : sql`${sql.raw(column)} = any (${values as string[]}::text[])`;

const among = (filter: OperationFilter) =>
  sql`${oneOf('o.system_id', filter.machines)} and ${oneOf('o.kind', filter.kinds)} and ${oneOf('o.outcome', filter.outcomes)}
      and ${oneOf('o.bulk', filter.bulks)}`;

/** Written as the index `operation_newest` has it. */
const startedAt = sql.raw("date_trunc('milliseconds', o.started at time zone 'UTC')");

/** At most `limit` operations, newest first: one statement. */
export async function readOperations(db: CellDb, filter: OperationFilter, limit: number): Promise<OperationRow[]> {
  const { rows } = await sql<OperationRow>`
    select o.id, o.system_id, m.hostname, o.kind, o.outcome, o.step, o.note, o.error, o.requested_by, o.bulk, o.waits_for_hands, o.abort_asked,
           o.attempt, o.plan_version, o.started, o.deadline, o.ended,
           (select coalesce(json_agg(s order by s.id), '[]') from (
              select id, step, started, detail from operation_step where operation_id = o.id) s) as steps
    from operation o join machine m using (system_id)
    where ${filter.id === undefined ? sql`true` : sql`o.id = ${filter.id}`}
      and ${among(filter)}
      and ${filter.behind === undefined ? sql`true` : sql`(${startedAt}, o.id) < (${filter.behind.at}::timestamptz at time zone 'UTC', ${filter.behind.id}::bigint)`}
    order by ${startedAt} desc, o.id desc limit ${limit}`.execute(db);
  return rows;
}

export interface OperationCount {
  readonly outcome: OperationOutcome;
  readonly kind: OperationKind;
  readonly operations: number;
  readonly waits_for_hands: number;
}

/** How many of these operations there are by outcome and kind: one statement. */
export async function countOperations(db: CellDb, filter: OperationFilter): Promise<OperationCount[]> {
  const { rows } = await sql<OperationCount>`
    select o.outcome, o.kind, count(*)::int as operations, count(*) filter (where o.outcome = 'live' and o.waits_for_hands)::int as waits_for_hands
    from operation o where ${among(filter)} group by o.outcome, o.kind order by o.outcome, o.kind`.execute(db);
  return rows;
}
