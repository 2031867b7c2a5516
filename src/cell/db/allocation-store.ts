/** Taking machines: matching and taking are one statement, so that no two callers ever get the same one. */
import { sql } from 'kysely';
import { lifecycle } from '../../contract/lifecycle.ts';
import type { Database } from '../../postgres/database.ts';
import type { CellDb } from './cell-db.ts';
import { recordAll, type CellEvent } from './event-store.ts';
import { allOf, conditionSql, type MachineCondition } from './machine-filter.ts';
import type { CellTables } from './schema.ts';

/** Written as the index `machine_allocatable` has it, or it would not be used. */
const free = sql.raw('m.status = 4 and m.owner is null and not m.locked');
const cost = sql.raw('m.cpu_count + m.memory / 1024.0');

export interface Taking {
  readonly owner: string;
  readonly agentName: string;
  readonly comment: string;
  /** A claim is unconfirmed until `confirmClaim`. */
  readonly claim?: { readonly id: string; readonly seconds: number };
}

/** The cheapest free machine that meets the conditions; undefined when there is none. Nothing is taken. */
export async function cheapest(db: CellDb, conditions: readonly MachineCondition[]): Promise<string | undefined> {
  const { rows } = await sql<{ system_id: string }>`
    select m.system_id from machine m where ${free} and ${allOf(conditions)} order by ${cost}, m.system_id limit 1`.execute(db);
  return rows[0]?.system_id;
}

/**
 * Take the cheapest free machine that meets the conditions, in the caller's transaction: one statement and its events. Rows that others
 * hold are skipped; when nothing is left besides those, it waits for them, as a power reading holds a row, too.
 * @returns undefined when there is none.
 */
export async function takeCheapest(tx: CellDb, conditions: readonly MachineCondition[], taking: Taking): Promise<string | undefined> {
  const taken = (await take(tx, conditions, taking, 'skip locked')) ?? (await take(tx, conditions, taking, ''));
  if (taken === undefined) return undefined;
  const { name, number } = lifecycle.allocated;
  const about = { systemId: taken, username: taking.owner };
  await recordAll(tx, [
    { ...about, kind: 'machine_allocated', description: `(${taking.owner})${taking.comment === '' ? '' : ` - ${taking.comment}`}` },
    { ...about, kind: 'status_changed', description: name, data: { status: number, status_name: name } },
  ]);
  return taken;
}

async function take(
  tx: CellDb,
  conditions: readonly MachineCondition[],
  taking: Taking,
  locked: 'skip locked' | '',
): Promise<string | undefined> {
  const { claim } = taking;
  const { rows } = await sql<{ system_id: string }>`
    with best as (
      select m.system_id from machine m where ${free} and ${allOf(conditions)}
      order by ${cost}, m.system_id limit 1 for update of m ${sql.raw(locked)})
    update machine m
    set status = ${lifecycle.allocated.number}, previous_status = m.status, status_since = now(), status_message = '', owner = ${taking.owner},
        agent_name = ${taking.agentName}, allocated_at = now(), generation = m.generation + 1, updated = now(),
        claim_id = ${claim?.id ?? null}::uuid,
        confirm_by = ${claim === undefined ? sql`null` : sql`clock_timestamp() + ${claim.seconds} * interval '1 second'`}
    from best where m.system_id = best.system_id
    returning m.system_id`.execute(tx);
  return rows[0]?.system_id;
}

export interface Supply {
  readonly best: { readonly system_id: string; readonly cost: number } | null;
  readonly ready: number;
  readonly matching: number;
  /** Condition → how many free machines it alone rules out. */
  readonly ruledOut: Readonly<Record<string, number>>;
}

/** What there is, and what each condition rules out: one statement. */
export async function supply(db: CellDb, conditions: readonly MachineCondition[]): Promise<Supply> {
  const counts = conditions.map(
    (condition, at) => sql`, count(*) filter (where not (${conditionSql(condition)})) as ${sql.ref(`out_${at}`)}`,
  );
  const { rows } = await sql<{ ready: number; matching: number; best: string | null; cost: number | null } & Record<string, unknown>>`
    select count(*) as ready, count(*) filter (where ${allOf(conditions)}) as matching,
           (array_agg(m.system_id order by ${cost}, m.system_id) filter (where ${allOf(conditions)}))[1] as best,
           (min(${cost}) filter (where ${allOf(conditions)}))::float8 as cost ${sql.join(counts, sql` `)}
    from machine m where ${free}`.execute(db);
  const [row] = rows;
  const ruledOut = Object.fromEntries(conditions.map(({ name }, at) => [name, Number(row?.[`out_${at}`] ?? 0)]));
  return {
    best: typeof row?.best === 'string' ? { system_id: row.best, cost: row.cost ?? 0 } : null,
    ready: row?.ready ?? 0,
    matching: row?.matching ?? 0,
    ruledOut,
  };
}

export interface ClaimRow {
  readonly system_id: string;
  readonly owner: string | null;
  /** Until it frees itself; null: confirmed. */
  readonly seconds: number | null;
}

/** The machine that this claim got. Until `tx` ends, nobody else can use the same claim. */
export async function findClaim(tx: CellDb, claim: string): Promise<ClaimRow | undefined> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${claim}, 0))`.execute(tx);
  const { rows } = await sql<ClaimRow>`
    select system_id, owner, extract(epoch from confirm_by - clock_timestamp())::float8 as seconds
    from machine where claim_id = ${claim}::uuid`.execute(tx);
  return rows[0];
}

/** Keep a claimed machine. May be repeated. undefined: it has freed itself, or was never claimed by this user. */
export async function confirmClaim(db: CellDb, claim: string, owner: string): Promise<string | undefined> {
  const { rows } = await sql<{ system_id: string }>`
    update machine set confirm_by = null where claim_id = ${claim}::uuid and owner = ${owner} returning system_id`.execute(db);
  return rows[0]?.system_id;
}

/** Free every claim that was not confirmed in time; returns how many. For the cell's loop; any number of processes may call it. */
export async function freeUnconfirmed(database: Database<CellTables>): Promise<number> {
  return database.transaction(async (tx) => {
    const { rows } = await sql<{ system_id: string; owner: string | null }>`
      with late as (
        select system_id, owner from machine where confirm_by < clock_timestamp() and status = ${lifecycle.allocated.number} and not locked
        for update skip locked)
      update machine m
      set status = ${lifecycle.ready.number}, previous_status = m.status, status_since = now(), owner = null, agent_name = '',
          allocated_at = null, claim_id = null, confirm_by = null, generation = m.generation + 1, updated = now()
      from late where m.system_id = late.system_id
      returning m.system_id, late.owner`.execute(tx);
    const { name, number } = lifecycle.ready;
    await recordAll(
      tx,
      rows.flatMap((row): CellEvent[] => [
        { kind: 'allocation_unconfirmed', systemId: row.system_id, description: `for ${row.owner ?? 'nobody'}` },
        { kind: 'status_changed', systemId: row.system_id, description: name, data: { status: number, status_name: name } },
      ]),
    );
    return rows.length;
  });
}
