/** Tickets, boots and the machines' credentials: issue, check in, claim, heartbeat, spend. Every change is guarded by what must hold. */
import { sql } from 'kysely';
import type { BootPurpose, OperationKind } from '../../contract/operation.ts';
import { LostRace, type CellDb } from './cell-db.ts';
import { record } from './event-store.ts';
import { hasten } from './operation-store.ts';

export interface NewTicket {
  readonly nonce: string;
  readonly systemId: string;
  readonly operationId: number;
  readonly purpose: BootPurpose;
  readonly within: number;
  readonly bootsAllowed: number;
}

/** Issue a ticket for a live operation of this fence; the same operation's earlier ticket must be spent or void (unique index). */
export async function issueTicket(tx: CellDb, ticket: NewTicket, fence: number): Promise<void> {
  const done = await sql`
    insert into ticket (nonce, system_id, operation_id, purpose, expires, boots_allowed)
    select ${ticket.nonce}, o.system_id, o.id, ${ticket.purpose}, now() + ${ticket.within} * interval '1 second', ${ticket.bootsAllowed}
    from operation o where o.id = ${ticket.operationId} and o.fence = ${fence} and o.outcome = 'live' and not o.abort_asked`.execute(tx);
  if (done.numAffectedRows !== 1n) throw new LostRace('the lease of the operation is gone');
  await record(tx, {
    kind: 'ticket_issued',
    systemId: ticket.systemId,
    description: `may boot to ${ticket.purpose}`,
    data: { operation: ticket.operationId },
  });
}

/** Take the right back: the ticket, and the credential that was minted with it. */
export async function voidTicket(tx: CellDb, operationId: number, reason: string): Promise<void> {
  await sql`
    with void as (
      update ticket set voided = now(), void_reason = ${reason}
      where operation_id = ${operationId} and voided is null and spent is null returning nonce, system_id)
    update credential c set revoked = now() from void where c.nonce = void.nonce and c.revoked is null`.execute(tx);
}

export interface LiveTicket {
  readonly nonce: string;
  readonly system_id: string;
  readonly hostname: string;
  readonly operation_id: number;
  readonly kind: OperationKind;
  readonly purpose: BootPurpose;
  readonly boots: number;
  readonly boots_allowed: number;
  readonly boot_id: string | null;
  readonly claimed: Date | null;
  readonly plan: unknown;
  readonly live: boolean;
  readonly address: string | null;
}

const ticketRow = sql`
  t.nonce, t.system_id, m.hostname, t.operation_id, o.kind, t.purpose, t.boots, t.boots_allowed, t.boot_id, t.claimed, t.plan,
  (t.voided is null and t.spent is null and t.expires > now() and o.outcome = 'live' and not o.abort_asked) as live,
  (select host(address) from boot b where b.boot_id = t.boot_id) as address
  from ticket t join operation o on o.id = t.operation_id join machine m on m.system_id = t.system_id`;

/** The ticket with this nonce, live or not; locked when `lock`, so that two boots cannot both be first. */
export async function ticketByNonce(db: CellDb, nonce: string, lock = false): Promise<LiveTicket | undefined> {
  const { rows } = await sql<LiveTicket>`select ${ticketRow} where t.nonce = ${nonce} ${lock ? sql`for update of t` : sql``}`.execute(db);
  return rows[0];
}

/**
 * Count a boot: the first check-in of a boot id. A boot id that is known gets the same answer again; a new one takes the ticket over only
 * while nothing has been claimed with it (firmware may boot twice before the agent comes up).
 */
export async function checkIn(
  tx: CellDb,
  nonce: string,
  bootId: string,
  address: string,
): Promise<'first' | 'again' | 'other_boot' | 'no_boots_left' | 'dead' | 'elsewhere'> {
  const ticket = await ticketByNonce(tx, nonce, true);
  if (!ticket?.live) return 'dead';
  if (ticket.boot_id === bootId) return ticket.address === address ? 'again' : 'elsewhere';
  if (ticket.claimed !== null) return 'other_boot';
  if (ticket.boots >= ticket.boots_allowed) return 'no_boots_left';
  await sql`insert into boot (boot_id, system_id, nonce, purpose, address)
            values (${bootId}, ${ticket.system_id}, ${nonce}, ${ticket.purpose}, ${address}::inet)`.execute(tx);
  await sql`update ticket set boots = boots + 1, boot_id = ${bootId}, checked_in = now(), heartbeat = now() where nonce = ${nonce}`.execute(
    tx,
  );
  await sql`update credential set revoked = now() where nonce = ${nonce} and revoked is null`.execute(tx);
  // The machine has booted: no power step of this operation may be sent any more.
  await closePowerSteps(tx, ticket.operation_id);
  await sql`update machine set power_state = 'on', power_state_at = now(), power_evidence = 'the agent checked in' where system_id = ${ticket.system_id}`.execute(
    tx,
  );
  await record(tx, {
    kind: 'boot_checked_in',
    systemId: ticket.system_id,
    description: `booted to ${ticket.purpose}`,
    data: { operation: ticket.operation_id, boot: bootId },
  });
  await hasten(tx, ticket.system_id);
  return 'first';
}

async function closePowerSteps(tx: CellDb, operationId: number): Promise<void> {
  await sql`update power_verb set state = 'closed', ended = now(), evidence = 'a boot was seen'
            where operation_id = ${operationId} and state in ('live', 'hands')`.execute(tx);
}

/**
 * Claim the ticket for this boot and keep the plan that was granted: the one statement that lets a disk be written, and that closes the
 * operation's power steps. @throws LostRace when it is no longer live or another boot owns it.
 */
export async function claimTicket(tx: CellDb, nonce: string, bootId: string, granted: unknown): Promise<void> {
  const { rows } = await sql<{ system_id: string; operation_id: number }>`
    with claimed as (
      update ticket t set claimed = coalesce(claimed, now()), plan = coalesce(plan, ${JSON.stringify(granted)}::jsonb), heartbeat = now()
      from operation o
      where t.nonce = ${nonce} and t.boot_id = ${bootId} and t.voided is null and t.spent is null and t.expires > now()
        and o.id = t.operation_id and o.outcome = 'live' and not o.abort_asked
      returning t.system_id, t.operation_id),
    closed as (
      update power_verb v set state = 'closed', ended = now(), evidence = 'the ticket was claimed'
      from claimed c where v.operation_id = c.operation_id and v.state in ('live', 'hands'))
    select system_id, operation_id from claimed`.execute(tx);
  const row = rows[0];
  if (!row) throw new LostRace('the ticket is spent, void, expired, or another boot owns it');
  await record(tx, {
    kind: 'ticket_claimed',
    systemId: row.system_id,
    description: 'may write its disks',
    data: { operation: row.operation_id, boot: bootId },
  });
  await hasten(tx, row.system_id);
}

/** The agent lives. Answers whether it should go on. */
export async function heartbeat(db: CellDb, systemId: string, bootId: string, progress: string): Promise<boolean> {
  const done = await sql`
    update ticket t set heartbeat = now(), progress = ${progress},
           expires = greatest(t.expires, now() + interval '15 minutes')
    from operation o
    where t.system_id = ${systemId} and t.boot_id = ${bootId} and t.voided is null and t.spent is null
      and o.id = t.operation_id and o.outcome = 'live' and not o.abort_asked`.execute(db);
  if (done.numAffectedRows === 1n) return true;
  // Its spend was committed and the answer is still on its way, or was lost: what it says is what counts, not this.
  const { rows } = await sql`
    select from ticket where system_id = ${systemId} and boot_id = ${bootId} and spent is not null and voided is null`.execute(db);
  return rows.length > 0;
}

/** Spend the ticket of this boot. Repeating it is harmless. False: this boot owns no ticket that could be spent. */
export async function spendTicket(
  tx: CellDb,
  systemId: string,
  bootId: string,
  outcome: 'done' | 'failed',
  detail: string,
): Promise<BootPurpose | undefined> {
  const { rows } = await sql<{ purpose: BootPurpose; operation_id: number }>`
    update ticket t set spent = now(), outcome = ${outcome}, detail = ${detail}
    where t.system_id = ${systemId} and t.boot_id = ${bootId} and t.voided is null and t.spent is null
    returning purpose, operation_id`.execute(tx);
  const row = rows[0];
  if (row) {
    await record(tx, {
      kind: outcome === 'done' ? 'ticket_spent' : 'operation_retry',
      systemId,
      description: outcome === 'done' ? `${row.purpose}: the agent is done` : `${row.purpose}: ${detail}`,
      data: { operation: row.operation_id, boot: bootId },
    });
    await hasten(tx, systemId);
    return row.purpose;
  }
  const earlier = await sql<{ purpose: BootPurpose }>`
    select purpose from ticket where system_id = ${systemId} and boot_id = ${bootId} and spent is not null and outcome = ${outcome}`.execute(
    tx,
  );
  return earlier.rows[0]?.purpose;
}

export interface NewCredential {
  readonly tokenKey: string;
  readonly consumerKey: string;
  readonly secretHash: Buffer;
  readonly systemId: string;
  readonly kind: 'boot' | 'system';
  readonly bootId?: string;
  readonly nonce?: string;
  readonly address?: string;
}

/** Mint a credential; minting the same one again (lost reply) changes nothing. */
export async function mintCredential(tx: CellDb, given: NewCredential): Promise<void> {
  await sql`
    insert into credential (token_key, consumer_key, secret_hash, system_id, kind, boot_id, nonce, address)
    values (${given.tokenKey}, ${given.consumerKey}, ${given.secretHash}, ${given.systemId}, ${given.kind}, ${given.bootId ?? null},
            ${given.nonce ?? null}, ${given.address ?? null}::inet)
    on conflict (token_key) do nothing`.execute(tx);
}

export interface CredentialRow {
  readonly system_id: string;
  readonly kind: 'boot' | 'system';
  readonly boot_id: string | null;
  readonly nonce: string | null;
  readonly address: string | null;
  readonly secret_hash: Buffer;
}

/** The credential with this token, unless revoked. */
export async function credentialByToken(db: CellDb, consumerKey: string, tokenKey: string): Promise<CredentialRow | undefined> {
  const { rows } = await sql<CredentialRow>`
    select system_id, kind, boot_id, nonce, host(address) as address, secret_hash
    from credential where token_key = ${tokenKey} and consumer_key = ${consumerKey} and revoked is null`.execute(db);
  return rows[0];
}

/** The installed system fetched its user-data: the last thing that a deployment waits for. */
export async function systemSeen(tx: CellDb, systemId: string): Promise<void> {
  const done = await sql`
    update credential set user_data_seen = now()
    where system_id = ${systemId} and kind = 'system' and revoked is null and user_data_seen is null`.execute(tx);
  if (done.numAffectedRows === 0n) return;
  await sql`update machine set power_state = 'on', power_state_at = now(), power_evidence = 'the installed system fetched its user-data'
            where system_id = ${systemId}`.execute(tx);
  await record(tx, { kind: 'user_data_fetched', systemId, description: 'the installed system fetched its user-data', data: {} });
  await hasten(tx, systemId);
}

/** The system credential dies with the deployment. */
export async function revokeSystemCredentials(tx: CellDb, systemId: string): Promise<void> {
  await sql`update credential set revoked = now() where system_id = ${systemId} and kind = 'system' and revoked is null`.execute(tx);
}
