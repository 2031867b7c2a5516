/** Operations as rows: claiming what is due, the facts the planner needs, and guarded writes of what was decided. */
import { sql } from 'kysely';
import { lifecycle, stateOf, type MachineState } from '../../contract/lifecycle.ts';
import { operations, planVersion, type OperationKind, type OperationOutcome } from '../../contract/operation.ts';
import { wakesFollowers } from '../../postgres/wake-after-commit.ts';
import { LostRace, type CellDb } from './cell-db.ts';
import type { OperationTable, PowerState, PowerVerbState } from './schema.ts';
import { record } from './event-store.ts';
import { setStatus, type StatusChange } from './machine-status.ts';
import { ownerIsGone } from './process-store.ts';

export interface NewOperation extends StatusChange {
  readonly kind: OperationKind;
  readonly requestedBy: string;
  readonly parameters?: Record<string, unknown>;
  readonly memory?: Record<string, unknown>;
  readonly idempotencyKey?: string;
  /** Seconds; the kind's own limit when not given. */
  readonly within?: number;
}

/** Operations at the end of which the machine is nobody's. A claim of it ends when they begin (claim-rules.ts), confirmed or not. */
export function givesBack(kind: OperationKind): boolean {
  return kind === 'release' || kind === 'erase';
}

const noClaim = { claim_id: null, confirm_by: null } as const;

/**
 * Start an operation: the machine's guarded change of state, the row and the event in one statement each of the caller's transaction.
 * @throws LostRace when the machine is no longer in one of `from`; UniqueViolation when an operation is live.
 */
export async function startOperation(tx: CellDb, wanted: NewOperation): Promise<number> {
  const rule = operations[wanted.kind];
  await setStatus(tx, { ...wanted, set: { ...wanted.set, ...(givesBack(wanted.kind) ? noClaim : {}) }, to: rule.during });
  const { id } = await tx
    .insertInto('operation')
    .values({
      system_id: wanted.systemId,
      kind: wanted.kind,
      plan_version: planVersion,
      requested_by: wanted.requestedBy,
      idempotency_key: wanted.idempotencyKey ?? null,
      parameters: JSON.stringify(wanted.parameters ?? {}),
      memory: JSON.stringify(wanted.memory ?? {}),
      deadline: sql<Date>`now() + ${wanted.within ?? rule.within} * interval '1 second'`,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export interface ClaimedOperation {
  readonly id: number;
  readonly fence: number;
  readonly nudges: number;
}

/**
 * Claim up to `limit` due operations of plan versions that this worker knows, for `leaseSeconds`. What a process of the cell had in hand when it
 * died is due at once: should it live after all, its fence is old and nothing it writes counts.
 */
export async function claimDue(db: CellDb, owner: string, limit: number, leaseSeconds: number): Promise<ClaimedOperation[]> {
  const { rows } = await sql<ClaimedOperation>`
    update operation set lease_until = now() + ${leaseSeconds} * interval '1 second', lease_owner = ${owner}, fence = fence + 1
    where id in (
      select id from operation
      where outcome = 'live' and due_at <= now() and (lease_until is null or lease_until < now() or ${ownerIsGone('lease_owner')})
        and plan_version <= ${planVersion}
      order by due_at limit ${limit} for update skip locked)
    returning id, fence, nudges`.execute(db);
  return rows;
}

/** Milliseconds until the next operation is due, for the worker's timer; undefined when none lives. */
export async function nextDue(db: CellDb): Promise<number | undefined> {
  const { rows } = await sql<{ wait: number | null }>`
    select (extract(epoch from min(greatest(due_at, coalesce(lease_until, due_at))) - now()) * 1000)::float8 as wait
    from operation where outcome = 'live'`.execute(db);
  const wait = rows[0]?.wait;
  return wait === null || wait === undefined ? undefined : Math.max(0, wait);
}

/** Keep the lease while a long step runs. @throws LostRace when another worker has it. */
export async function keepLease(db: CellDb, claimed: ClaimedOperation, leaseSeconds: number): Promise<void> {
  const done = await sql`
    update operation set lease_until = now() + ${leaseSeconds} * interval '1 second'
    where id = ${claimed.id} and fence = ${claimed.fence} and outcome = 'live'`.execute(db);
  if (done.numAffectedRows !== 1n) throw new LostRace('the lease of the operation is gone');
}

export interface FactsRow {
  readonly id: number;
  readonly fence: number;
  readonly system_id: string;
  readonly kind: OperationKind;
  readonly step: string;
  readonly requested_by: string;
  readonly parameters: Record<string, unknown>;
  readonly memory: Record<string, unknown>;
  readonly abort_asked: boolean;
  readonly started: number;
  readonly deadline: number;
  readonly now: number;
  readonly status: number;
  readonly previous_status: number;
  readonly power_type: string;
  readonly bmc_id: number | null;
  readonly power_state: PowerState;
  readonly power_state_at: number | null;
  readonly image: { sha256: string; cloud_init: boolean } | null;
  readonly tickets: number;
  readonly ticket: TicketRow | null;
  readonly verb: VerbRow | null;
  /** Neither passed, degraded nor skipped: one that never ran counts, so that an agent that is done too early makes no machine Ready. */
  readonly scripts_failed: number;
  readonly system_seen: boolean;
  readonly rescue_seen: boolean;
}

/** Times in milliseconds of the database's clock. */
export interface TicketRow {
  readonly nonce: string;
  readonly issued: number;
  readonly expires: number;
  readonly checked_in: number | null;
  readonly claimed: number | null;
  readonly heartbeat: number | null;
  readonly spent: number | null;
  readonly outcome: 'done' | 'failed' | null;
  readonly detail: string;
  readonly voided: boolean;
  readonly void_reason: string | null;
}

export interface VerbRow {
  readonly verb: 'on' | 'off' | 'cycle';
  readonly state: PowerVerbState;
  readonly intended: number;
  readonly ended: number | null;
  readonly nonce: string | null;
  readonly error: string;
}

const ms = (column: string) => sql.raw(`(extract(epoch from ${column}) * 1000)::float8`);

/** Everything the planner wants to know about these operations: one statement, however many they are. */
export async function readFacts(db: CellDb, ids: readonly number[]): Promise<FactsRow[]> {
  const { rows } = await sql<FactsRow>`
    select o.id, o.fence, o.system_id, o.kind, o.step, o.requested_by, o.parameters, o.memory, o.abort_asked,
           ${ms('o.started')} as started, ${ms('o.deadline')} as deadline, ${ms('clock_timestamp()')} as now,
           m.status, m.previous_status, m.power_type, m.bmc_id, m.power_state, ${ms('m.power_state_at')} as power_state_at, m.image,
           (select count(*)::int from ticket where operation_id = o.id) as tickets,
           (select to_jsonb(t) from (
              select nonce, ${ms('issued')} as issued, ${ms('expires')} as expires, ${ms('checked_in')} as checked_in,
                     ${ms('claimed')} as claimed, ${ms('heartbeat')} as heartbeat, ${ms('spent')} as spent, outcome, detail,
                     voided is not null as voided, void_reason
              from ticket where operation_id = o.id order by issued desc, nonce limit 1) t) as ticket,
           (select to_jsonb(v) from (
              select verb, state, ${ms('intended')} as intended, ${ms('ended')} as ended, nonce, error
              from power_verb where operation_id = o.id order by id desc limit 1) v) as verb,
           (select count(*)::int from script_result where operation_id = o.id and status not in (2, 6, 9)) as scripts_failed,
           exists (select from credential where system_id = o.system_id and kind = 'system' and revoked is null
                   and user_data_seen is not null) as system_seen,
           exists (select from boot where system_id = o.system_id and purpose = 'rescue' and started > o.started) as rescue_seen
    from operation o join machine m using (system_id)
    where o.id = any (${ids as number[]}::bigint[]) and o.outcome = 'live'`.execute(db);
  return rows;
}

export interface StepTaken {
  readonly step: string;
  readonly note: string;
  /** Milliseconds from now until the operation is looked at again. */
  readonly dueIn: number;
  readonly waitsForHands: boolean;
  readonly detail?: string;
}

/**
 * Write what was decided and give the lease back, guarded by its fence. A new step is appended to the operation's history.
 * @throws LostRace when another worker has taken over.
 */
export async function stepTaken(tx: CellDb, claimed: ClaimedOperation, taken: StepTaken): Promise<void> {
  const { rows } = await sql<{ changed: boolean }>`
    update operation o
    set step = ${taken.step}, note = ${taken.note}, waits_for_hands = ${taken.waitsForHands}, lease_until = null, lease_owner = null,
        due_at = case when o.nudges = ${claimed.nudges} then now() + ${taken.dueIn} * interval '1 millisecond' else now() end,
        -- While it waits for hands the clock stands still.
        deadline = case when ${taken.waitsForHands} then greatest(o.deadline, now() + (o.deadline - o.started)) else o.deadline end
    from (select id, step from operation where id = ${claimed.id}) b
    where o.id = b.id and o.fence = ${claimed.fence} and o.outcome = 'live'
    returning (b.step <> ${taken.step}) as changed`.execute(tx);
  const row = rows[0];
  if (!row) throw new LostRace('the lease of the operation is gone');
  if (row.changed) {
    await tx
      .insertInto('operation_step')
      .values({ operation_id: claimed.id, step: taken.step, detail: taken.detail ?? taken.note })
      .execute();
  }
}

/**
 * Give a lease back without having done the step: it is looked at again at once when something happened meanwhile, else after `dueIn` ms.
 * Nothing happens where another worker has it by now.
 */
export async function giveBack(db: CellDb, claimed: ClaimedOperation, dueIn: number): Promise<void> {
  await sql`
    update operation set lease_until = null, lease_owner = null,
           due_at = case when nudges = ${claimed.nudges} then now() + ${dueIn} * interval '1 millisecond' else now() end
    where id = ${claimed.id} and fence = ${claimed.fence} and outcome = 'live' ${sql.raw(wakesFollowers)}`.execute(db);
}

/** Something happened to this machine (check-in, claim, power verb ended): have its live operation looked at now. */
export async function hasten(tx: CellDb, systemId: string): Promise<void> {
  await sql`update operation set due_at = now(), nudges = nudges + 1 where system_id = ${systemId} and outcome = 'live' ${sql.raw(wakesFollowers)}`.execute(
    tx,
  );
}

export interface Finish {
  readonly outcome: Exclude<OperationOutcome, 'live'>;
  readonly error: string;
  readonly to: MachineState;
  readonly set?: StatusChange['set'];
}

/**
 * End an operation, in the caller's transaction: outcome, machine state, tickets and verbs closed, boot credentials revoked, event.
 * @throws LostRace when the lease or the machine's state is not what it was.
 */
export async function finishOperation(
  tx: CellDb,
  claimed: ClaimedOperation,
  facts: Pick<FactsRow, 'system_id' | 'kind' | 'status'>,
  finish: Finish,
): Promise<void> {
  const ended = await sql`
    update operation set outcome = ${finish.outcome}, error = ${finish.error}, step = 'finish', note = '', ended = now(),
           lease_until = null, lease_owner = null, waits_for_hands = false
    where id = ${claimed.id} and fence = ${claimed.fence} and outcome = 'live'`.execute(tx);
  if (ended.numAffectedRows !== 1n) throw new LostRace('the lease of the operation is gone');
  await tx.insertInto('operation_step').values({ operation_id: claimed.id, step: finish.outcome, detail: finish.error }).execute();
  const standing = finish.to === 'rescue_mode';
  await closeBoots(tx, facts.system_id, claimed.id, `the operation ended: ${finish.outcome}`, standing);
  await setStatus(tx, {
    systemId: facts.system_id,
    from: [stateOf(facts.status)],
    to: finish.to,
    ...(finish.set ? { set: finish.set } : {}),
    message: finish.error,
  });
  await record(tx, {
    kind: finish.outcome === 'done' ? 'operation_done' : finish.outcome === 'aborted' ? 'operation_aborted' : 'operation_failed',
    systemId: facts.system_id,
    description:
      finish.error === ''
        ? `${facts.kind} ${finish.outcome}: ${lifecycle[finish.to].name}`
        : `${facts.kind} ${finish.outcome}: ${finish.error}`,
    data: { operation: claimed.id, kind: facts.kind },
  });
}

/**
 * Void what is left of an operation's right to boot: tickets, boot credentials, power verbs that have not been sent. With `standing` the
 * credential of a standing boot (it has no nonce) stays: a machine in rescue reads its keys after the operation has ended.
 */
export async function closeBoots(tx: CellDb, systemId: string, operationId: number, reason: string, standing = false): Promise<void> {
  await closeBootsOf(tx, [systemId], [operationId], reason, standing);
}

/** {@link closeBoots} of the operations of several machines, in as many statements. */
export async function closeBootsOf(
  tx: CellDb,
  systemIds: readonly string[],
  operationIds: readonly number[],
  reason: string,
  standing = false,
): Promise<void> {
  await sql`update ticket set voided = now(), void_reason = ${reason}
            where operation_id = any (${operationIds as number[]}::bigint[]) and voided is null and spent is null`.execute(tx);
  await sql`update credential set revoked = now() where system_id = any (${systemIds as string[]}::text[]) and kind = 'boot' and revoked is null
              and (nonce is not null or not ${standing}::boolean)`.execute(tx);
  await sql`update power_verb set state = 'closed', ended = now(), error = ${reason}
            where operation_id = any (${operationIds as number[]}::bigint[]) and state in ('live', 'hands')`.execute(tx);
}

/** Ask the live operation of a machine to stop. Returns its kind; undefined when none lives. */
export async function askAbort(tx: CellDb, systemId: string): Promise<OperationKind | undefined> {
  const { rows } = await sql<Pick<OperationTable, 'kind'>>`
    update operation set abort_asked = true, due_at = now(), nudges = nudges + 1 where system_id = ${systemId} and outcome = 'live'
    returning kind ${sql.raw(wakesFollowers)}`.execute(tx);
  return rows[0]?.kind;
}
