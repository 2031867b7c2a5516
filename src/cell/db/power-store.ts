/** Power verbs and BMCs as rows: what was meant, what was sent, and what is known of each BMC. */
import { sql } from 'kysely';
import { LostRace, type CellDb } from './cell-db.ts';
import { record } from './event-store.ts';
import { hasten } from './operation-store.ts';
import type { PowerState } from './schema.ts';

export interface NewVerb {
  readonly systemId: string;
  readonly verb: 'on' | 'off' | 'cycle';
  readonly nextBoot?: 'network' | 'disk';
  readonly operationId?: number;
  readonly nonce?: string;
  readonly requestedBy: string;
  readonly soft?: boolean;
  /** For so many milliseconds the machine is only looked at: it is about to do it by itself. */
  readonly patienceMs?: number;
}

/**
 * Commit the intent. A live verb of the machine is closed first: the newest intent counts. What the older one sent is inherited (with no
 * send of its own counted), so that its late effect is waited out instead of being taken for an answer.
 * @returns the verb's id
 */
export async function intendVerb(tx: CellDb, wanted: NewVerb): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    with replaced as (
      update power_verb set state = 'closed', ended = now(), error = 'replaced by a newer order'
      where system_id = ${wanted.systemId} and state in ('live', 'hands')
      returning first_sent, sent, sent_call, sent_outcome, sent_failure)
    insert into power_verb (bmc_id, system_id, operation_id, nonce, verb, next_boot, requested_by, soft, not_before,
                            first_sent, sent, sent_call, sent_outcome, sent_failure)
    select m.bmc_id, m.system_id, ${wanted.operationId ?? null}, ${wanted.nonce ?? null}, ${wanted.verb}, ${wanted.nextBoot ?? null},
           ${wanted.requestedBy}, ${wanted.soft ?? false}, now() + ${wanted.patienceMs ?? null}::float8 * interval '1 millisecond', r.first_sent, r.sent, r.sent_call, r.sent_outcome, r.sent_failure
    from machine m left join replaced r on true where m.system_id = ${wanted.systemId} returning id`.execute(tx);
  const id = rows[0]?.id;
  if (id === undefined) throw new LostRace(`machine ${wanted.systemId} is gone`);
  await record(tx, {
    kind: `power_${wanted.verb}_starting` as const,
    systemId: wanted.systemId,
    username: wanted.requestedBy,
    description: `power ${wanted.verb}`,
    data: { verb: id },
  });
  return id;
}

/** Times in milliseconds of the database's clock. */
export interface DueVerb {
  readonly id: number;
  readonly fence: number;
  /** Of the BMC's own lease. */
  readonly bmc_fence: number | null;
  readonly system_id: string;
  readonly bmc_id: number | null;
  readonly operation_id: number | null;
  readonly verb: 'on' | 'off' | 'cycle';
  readonly next_boot: 'network' | 'disk' | null;
  readonly next_boot_ordered: boolean;
  readonly next_boot_failures: number;
  readonly soft: boolean;
  readonly intended: number;
  readonly sends: number;
  readonly sent: number | null;
  readonly sent_call: 'on' | 'off' | 'cycle' | null;
  readonly sent_outcome: 'open' | 'accepted' | 'unknown' | 'not-done' | null;
  readonly sent_failure: string | null;
  readonly boots: number;
  readonly not_before: number | null;
  readonly power_type: string;
  readonly power_state: PowerState;
  readonly power_state_at: number | null;
  readonly power_evidence: string;
  readonly health: Record<string, number>;
  readonly now: number;
}

const ms = (column: string) => sql.raw(`(extract(epoch from ${column}) * 1000)::float8`);

/**
 * Claim due verbs, each with its BMC: a BMC whose lease is held is skipped, so it has one call in flight however many machines and workers
 * there are. The lease must outlive the driver's time-out.
 */
export async function claimVerbs(tx: CellDb, limit: number, leaseMs: number): Promise<DueVerb[]> {
  const { rows } = await sql<DueVerb>`
    with due as (
      select v.id, v.bmc_id from power_verb v
      where v.state in ('live', 'hands') and v.due_at <= now() and (v.lease_until is null or v.lease_until < now())
        and (v.bmc_id is null or exists (select from bmc b where b.id = v.bmc_id and (b.lease_until is null or b.lease_until < now())))
      order by v.due_at limit ${limit} for update of v skip locked),
    one_each as (select distinct on (coalesce(bmc_id, -id)) id, bmc_id from due order by coalesce(bmc_id, -id), id),
    leased as (
      update bmc b set lease_until = now() + ${leaseMs} * interval '1 millisecond', fence = b.fence + 1
      from one_each o where b.id = o.bmc_id and (b.lease_until is null or b.lease_until < now()) returning b.id, b.health, b.fence),
    taken as (
      update power_verb v set lease_until = now() + ${leaseMs} * interval '1 millisecond', fence = v.fence + 1
      from one_each o left join leased l on l.id = o.bmc_id
      where v.id = o.id and (o.bmc_id is null or l.id is not null)
      returning v.*, l.fence as bmc_fence, coalesce(l.health, '{"failuresInRow":0,"hardInRow":0,"score":100}'::jsonb) as health)
    select t.id, t.fence, t.bmc_fence, t.system_id, t.bmc_id, t.operation_id, t.verb, t.next_boot, t.next_boot_ordered, t.next_boot_failures, t.soft,
           ${ms('t.intended')} as intended, t.sends, ${ms('t.sent')} as sent, t.sent_call, t.sent_outcome, t.sent_failure,
           (select count(*)::int from boot b where b.system_id = t.system_id and b.started > coalesce(t.first_sent, t.intended)) as boots,
           ${ms('t.not_before')} as not_before, m.power_type, m.power_state, ${ms('m.power_state_at')} as power_state_at, m.power_evidence, t.health,
           ${ms('clock_timestamp()')} as now
    from taken t join machine m using (system_id)`.execute(tx);
  return rows;
}

/** Milliseconds until the next verb is due; undefined when none lives. */
export async function nextVerbDue(db: CellDb): Promise<number | undefined> {
  const { rows } = await sql<{ wait: number | null }>`
    select (extract(epoch from min(greatest(v.due_at, coalesce(v.lease_until, v.due_at))) - now()) * 1000)::float8 as wait
    from power_verb v where v.state in ('live', 'hands')`.execute(db);
  const wait = rows[0]?.wait;
  return wait === null || wait === undefined ? undefined : Math.max(0, wait);
}

/** When each machine that was switched on and has not checked in since was switched on, for the boot slots. */
export async function bootsInFlight(db: CellDb): Promise<number[]> {
  const { rows } = await sql<{ at: number }>`
    select ${ms('v.sent')} as at from power_verb v
    where v.verb <> 'off' and v.sent > now() - interval '10 minutes' and v.sent_outcome in ('open', 'accepted', 'unknown')
      and not exists (select from boot b where b.system_id = v.system_id and b.started > v.sent)`.execute(db);
  return rows.map((row) => row.at);
}

type Held = Pick<DueVerb, 'id' | 'fence' | 'bmc_fence' | 'system_id' | 'bmc_id' | 'verb'>;

async function mustHold(result: { numAffectedRows?: bigint }): Promise<void> {
  if (result.numAffectedRows !== 1n) throw new LostRace('the power verb was closed or taken over');
}

/** Commit that a command is about to be sent. After this a crash leaves its outcome open, which counts as unknown. */
export async function aboutToSend(db: CellDb, verb: Held, call: 'on' | 'off' | 'cycle'): Promise<void> {
  await mustHold(
    await sql`
      update power_verb set sent = clock_timestamp(), first_sent = case when sends = 0 then clock_timestamp() else first_sent end, sends = sends + 1,
             sent_call = ${call}, sent_outcome = 'open', sent_failure = null, next_boot_ordered = false
      where id = ${verb.id} and fence = ${verb.fence} and state = 'live'`.execute(db),
  );
}

export async function sendEnded(
  db: CellDb,
  verb: Held,
  outcome: 'accepted' | 'unknown' | 'not-done',
  failure: string | undefined,
  evidence: string,
): Promise<void> {
  await sql`
    update power_verb set sent_outcome = ${outcome}, sent_failure = ${failure ?? null}, evidence = ${evidence}
    where id = ${verb.id} and fence = ${verb.fence}`.execute(db);
}

export async function nextBootEnded(db: CellDb, verb: Held, ordered: boolean): Promise<void> {
  await sql`
    update power_verb set next_boot_ordered = ${ordered}, next_boot_failures = next_boot_failures + ${ordered ? 0 : 1}
    where id = ${verb.id} and fence = ${verb.fence}`.execute(db);
}

/** Keep a reading, unless something newer is known already. */
export async function saveReading(db: CellDb, systemId: string, state: PowerState, evidence: string): Promise<void> {
  await sql`
    update machine set power_state = ${state}, power_state_at = clock_timestamp(), power_evidence = ${evidence}
    where system_id = ${systemId}`.execute(db);
}

/** Give the verb and its BMC back, to be looked at again in `dueIn` milliseconds. */
export async function releaseVerb(tx: CellDb, verb: Held, dueIn: number, state: 'live' | 'hands', evidence: string): Promise<void> {
  await sql`
    update power_verb set lease_until = null, due_at = clock_timestamp() + ${dueIn} * interval '1 millisecond', state = ${state},
           evidence = case when ${evidence} = '' then evidence else ${evidence} end
    where id = ${verb.id} and fence = ${verb.fence} and state in ('live', 'hands')`.execute(tx);
  await releaseBmc(tx, verb);
}

/** End the verb and hasten the operation that waits for it. */
export async function endVerb(tx: CellDb, verb: Held, state: 'done' | 'failed', text: string): Promise<void> {
  const done = await sql`
    update power_verb set state = ${state}, ended = clock_timestamp(), lease_until = null, evidence = ${text},
           error = ${state === 'failed' ? text : ''}
    where id = ${verb.id} and fence = ${verb.fence} and state in ('live', 'hands')`.execute(tx);
  await releaseBmc(tx, verb);
  if (done.numAffectedRows !== 1n) return;
  await record(tx, { kind: powerEvent(verb.verb, state), systemId: verb.system_id, description: text, data: { verb: verb.id } });
  await hasten(tx, verb.system_id);
}

async function releaseBmc(tx: CellDb, verb: Held): Promise<void> {
  // A lease that ran out may be another process' by now: that one's is not given back for it.
  if (verb.bmc_id !== null)
    await sql`update bmc set lease_until = null where id = ${verb.bmc_id} and fence = ${verb.bmc_fence}`.execute(tx);
}

/** The machine that is switched by this driver at this address as this node; undefined when there is none. */
export async function hasBmcNode(db: CellDb, driver: string, address: string, nodeId: string): Promise<string | undefined> {
  const { rows } = await sql<{ system_id: string }>`
    select m.system_id from bmc b join machine m on m.bmc_id = b.id
    where b.driver = ${driver} and b.address = ${address} and coalesce(m.power_node ->> 'node_id', '') = ${nodeId} limit 1`.execute(db);
  return rows[0]?.system_id;
}

export async function saveHealth(db: CellDb, bmcId: number, health: object): Promise<void> {
  await sql`update bmc set health = ${JSON.stringify(health)}::jsonb where id = ${bmcId}`.execute(db);
}

export interface SealedBmc {
  readonly system_id: string;
  readonly driver: string;
  readonly sealed: Buffer;
  readonly power_node: Record<string, string>;
  readonly firmware: '' | 'bios' | 'uefi';
}

/** The power settings of these machines as stored; those that have none are left out. */
export async function sealedBmcsOf(db: CellDb, systemIds: readonly string[]): Promise<SealedBmc[]> {
  const { rows } = await sql<SealedBmc>`
    select m.system_id, b.driver, b.sealed, m.power_node, m.firmware from machine m join bmc b on b.id = m.bmc_id
    where m.system_id = any (${systemIds as string[]}::text[])`.execute(db);
  return rows;
}

/** Set a machine's power settings: the BMC is found by driver and address, or made. Its health starts afresh: new settings, new chance. */
export async function setPower(
  tx: CellDb,
  given: { systemId: string; driver: string; address: string; sealed: Buffer; node: Record<string, string> },
): Promise<void> {
  const found = await sql<{ id: number }>`
    update bmc set sealed = ${given.sealed}, health = '{"failuresInRow":0,"hardInRow":0,"score":100}'
    where driver = ${given.driver} and address = ${given.address} and ${given.address} <> '' returning id`.execute(tx);
  const id =
    found.rows[0]?.id ??
    (
      await tx
        .insertInto('bmc')
        .values({ driver: given.driver, address: given.address, sealed: given.sealed })
        .returning('id')
        .executeTakeFirstOrThrow()
    ).id;
  await sql`
    update machine set bmc_id = ${id}, power_type = ${given.driver}, power_node = ${JSON.stringify(given.node)}::jsonb,
           power_state = 'unknown', power_state_at = null, power_evidence = 'settings were changed', updated = now()
    where system_id = ${given.systemId}`.execute(tx);
}

/** Forget BMCs that no machine has any more, and with them their secrets. */
export async function deleteUnusedBmcs(tx: CellDb): Promise<void> {
  await sql`delete from bmc b where not exists (select from machine m where m.bmc_id = b.id)`.execute(tx);
}

function powerEvent(
  verb: 'on' | 'off' | 'cycle',
  state: 'done' | 'failed',
): 'power_on_done' | 'power_on_failed' | 'power_off_done' | 'power_off_failed' {
  return `power_${verb === 'off' ? 'off' : 'on'}_${state}`;
}
