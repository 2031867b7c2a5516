/** Claims: machines that a front has taken and not yet confirmed, and what became of every claim (cell/db/claim-rules.ts). */
import { sql } from 'kysely';
import { lifecycle } from '../../contract/lifecycle.ts';
import type { Database } from '../../postgres/database.ts';
import type { Standing } from './claim-rules.ts';
import type { Found, Matched } from './allocation-store.ts';
import type { CellDb } from './cell-db.ts';
import { recordAll, type CellEvent } from './event-store.ts';
import { openFindings } from './finding-store.ts';
import type { CellTables } from './schema.ts';

export interface ClaimRow {
  readonly owner: string;
  readonly standing: Exclude<Standing, 'none'>;
  readonly system_id: string | null;
  /** Which of the machine's devices answer the labels that were asked for. */
  readonly matched: Matched;
  /** Until it frees itself; null: it does not. */
  readonly seconds: number | null;
}

/** Begin a claim. Until `tx` ends, nobody else can use the same one. False: it was made before. */
export async function beginClaim(tx: CellDb, claim: string, owner: string): Promise<boolean> {
  const made = await sql`insert into claim (id, owner, state) values (${claim}::uuid, ${owner}, 'held') on conflict do nothing`.execute(tx);
  return made.numAffectedRows === 1n;
}

/** The claim found nothing, and never will. */
export async function voidClaim(tx: CellDb, claim: string): Promise<void> {
  await sql`update claim set state = 'over', since = now() where id = ${claim}::uuid`.execute(tx);
}

/** What became of a claim; undefined: it was never made here. */
export async function readClaim(db: CellDb, claim: string): Promise<ClaimRow | undefined> {
  const { rows } = await sql<{
    owner: string;
    state: 'held' | 'kept' | 'over';
    system_id: string | null;
    matched: Matched;
    held: boolean;
    seconds: number | null;
  }>`
    select c.owner, c.state, c.system_id, coalesce(c.matched, '{}') as matched, m.system_id is not null as held,
           extract(epoch from m.confirm_by - clock_timestamp())::float8 as seconds
    from claim c left join machine m on m.claim_id = c.id where c.id = ${claim}::uuid`.execute(db);
  const [row] = rows;
  if (!row) return undefined;
  const { owner, state, system_id, matched, held, seconds } = row;
  const gone = state === 'kept' ? 'spent' : 'over';
  return { owner, system_id, matched, seconds, standing: held ? (seconds === null ? 'kept' : 'held') : gone };
}

/** Keep a claimed machine: one statement, which may be repeated. undefined: this user holds nothing by this claim. */
export async function confirmClaim(db: CellDb, claim: string, owner: string): Promise<Found | undefined> {
  const { rows } = await sql<Found>`
    with kept as (
      update machine set confirm_by = null where claim_id = ${claim}::uuid and owner = ${owner} returning system_id),
    noted as (
      update claim set state = 'kept', since = case when state = 'held' then now() else since end
      where id = ${claim}::uuid and exists (select from kept))
    select k.system_id, coalesce(c.matched, '{}') as matched from kept k left join claim c on c.id = ${claim}::uuid`.execute(db);
  return rows[0];
}

/**
 * End a claim that is not confirmed, also one that arrives only after this. Always the machine before the claim, as a confirm does, so that
 * nobody waits in a circle.
 * @returns what it is now; a stranger's stays what it is.
 */
export async function endClaim(tx: CellDb, claim: string, owner: string): Promise<ClaimRow> {
  const free = () => freeMachines(tx, sql`claim_id = ${claim}::uuid and owner = ${owner} and confirm_by is not null`, '');
  await free();
  const made = await sql`insert into claim (id, owner, state) values (${claim}::uuid, ${owner}, 'over') on conflict do nothing`.execute(tx);
  // It was being made at this moment, and has been by now.
  if (made.numAffectedRows !== 1n) await free();
  return (await readClaim(tx, claim)) ?? { owner, standing: 'over', system_id: null, matched: {}, seconds: null };
}

/** Free every claim that was not confirmed in time; returns how many. For the cell's loop; any number of processes may call it. */
export async function freeUnconfirmed(database: Database<CellTables>): Promise<number> {
  return database.transaction((tx) => freeMachines(tx, sql`confirm_by < clock_timestamp()`, 'skip locked'));
}

async function freeMachines(tx: CellDb, which: ReturnType<typeof sql>, locked: 'skip locked' | ''): Promise<number> {
  const { rows } = await sql<{ system_id: string; owner: string | null }>`
    with late as (
      select system_id, owner, claim_id from machine where ${which} and status = ${lifecycle.allocated.number} and not locked
      for update ${sql.raw(locked)}),
    freed as (
      update machine m
      set status = ${lifecycle.ready.number}, previous_status = m.status, status_since = now(), owner = null, agent_name = '',
          allocated_at = null, claim_id = null, confirm_by = null, generation = m.generation + 1, updated = now()
      from late where m.system_id = late.system_id
      returning m.system_id, late.owner, late.claim_id),
    ended as (
      insert into claim (id, owner, state, system_id)
      select claim_id, coalesce(owner, ''), 'over', system_id from freed where claim_id is not null
      on conflict (id) do update set state = 'over', since = now())
    select system_id, owner from freed`.execute(tx);
  if (rows.length === 0) return 0;
  const { name, number } = lifecycle.ready;
  await recordAll(
    tx,
    rows.flatMap((row): CellEvent[] => [
      { kind: 'allocation_unconfirmed', systemId: row.system_id, description: `for ${row.owner ?? 'nobody'}` },
      { kind: 'status_changed', systemId: row.system_id, description: name, data: { status: number, status_name: name } },
    ]),
  );
  return rows.length;
}

/** The caller was told. */
export async function markDelivered(db: CellDb, claim: string, owner: string): Promise<void> {
  await sql`
    update claim set delivered = now() where id = ${claim}::uuid and owner = ${owner} and state = 'kept' and delivered is null`.execute(db);
}

/** Seconds that a front has for saying that it told its caller. */
const deliverySeconds = 60;

/**
 * List what was allocated and never delivered as findings, and close those whose owner was told after all or has done something with the
 * machine. For the cell's loop. Returns how many are open now.
 */
export async function tellUndelivered(database: Database<CellTables>): Promise<number> {
  const { db } = database;
  // Whatever changed its row since it was taken was done by somebody who knows of the machine; an admin who moves it counts, too.
  await sql`
    update claim c set delivered = now() where c.state = 'kept' and c.delivered is null
      and not exists (select from machine m where m.claim_id = c.id and m.updated = m.allocated_at)`.execute(db);
  const { rows } = await sql<{ system_id: string; owner: string; told: boolean }>`
    select c.system_id, c.owner,
           exists (select from finding f where f.kind = 'undelivered_allocation' and f.subject = c.system_id and f.first_seen >= c.since) as told
    from claim c where c.state = 'kept' and c.delivered is null and c.since < now() - ${deliverySeconds} * interval '1 second'`.execute(db);
  const untold = rows.filter((row) => !row.told);
  if (untold.length > 0) {
    await database.transaction((tx) =>
      openFindings(
        tx,
        'undelivered_allocation',
        untold.map(({ system_id, owner }) => ({ subject: system_id, systemId: system_id, data: { system_id, owner } })),
      ),
    );
  }
  await sql`
    update finding f set resolved = now(), resolved_by = 'system' where f.kind = 'undelivered_allocation' and f.resolved is null
      and not exists (select from claim c where c.system_id = f.subject and c.state = 'kept' and c.delivered is null)`.execute(db);
  return rows.length;
}

/**
 * Forget claims of which no message can be under way any more: an assertion is good for a minute, a front waits half a minute. Confirmed
 * ones are kept as long as the keys that may stand for them.
 */
export async function forgetClaims(db: CellDb): Promise<void> {
  await sql`
    delete from claim where (state <> 'kept' and since < now() - interval '1 hour')
      or (state = 'kept' and delivered is not null and since < now() - interval '25 hours')`.execute(db);
}
