/**
 * The reconciler of operations: claim what is due, read its facts in one statement, plan purely, carry out dully (architecture §6.1).
 * Any number of these may run over one database.
 */
import { LostRace } from '../db/cell-db.ts';
import { claimDue, giveBack, keepLease, readFacts, type ClaimedOperation, type FactsRow } from '../db/operation-store.ts';
import { carryOut, type Executor } from './carry-out.ts';
import { plan, type OperationFacts } from './plan.ts';
import { powerType } from '../../contract/power-types.ts';

/** Seconds. Long steps (fetching an image) renew it. */
export const leaseSeconds = 60;
/** Until a step that failed is tried again, in milliseconds. */
const retryAfterMs = 5_000;

/** Do what is due now. Returns how many operations were taken. */
export async function reconcile(executor: Executor, owner: string, limit = 50): Promise<number> {
  const { database } = executor;
  const claimed = await claimDue(database.db, owner, limit, leaseSeconds);
  if (claimed.length === 0) return 0;
  const rows = await readFacts(
    database.db,
    claimed.map((one) => one.id),
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  await Promise.all(
    claimed.map(async (one) => {
      const row = byId.get(one.id);
      if (row) await advance(executor, one, row);
    }),
  );
  return claimed.length;
}

async function advance(executor: Executor, claimed: ClaimedOperation, row: FactsRow): Promise<void> {
  const renew = setInterval(
    () => {
      keepLease(executor.database.db, claimed, leaseSeconds).catch(() => undefined);
    },
    (leaseSeconds * 1000) / 3,
  );
  try {
    const facts = await completeFacts(executor, row);
    const step = plan(facts);
    executor.door.killPoint(`${step.do}:before`);
    await carryOut(executor, claimed, row, facts, step);
    executor.door.killPoint(`${step.do}:after-commit`);
  } catch (error) {
    // Nothing of ours was written. Whoever has the lease now goes on; where it is still ours (an abort may come between the facts and the
    // step), it must not be kept for its whole time.
    if (error instanceof LostRace) executor.log.info({ operation: claimed.id, reason: error.message }, 'a step came too late');
    else executor.log.error({ err: error, operation: claimed.id }, 'a step failed and will be tried again');
    await giveBack(executor.database.db, claimed, retryAfterMs).catch(() => undefined);
  } finally {
    clearInterval(renew);
  }
}

/** Facts that are not rows: what the driver can do, whether the image is here, whether DHCP names the machine. */
export async function completeFacts(executor: Pick<Executor, 'door'>, row: FactsRow): Promise<OperationFacts> {
  const driver = powerType(row.power_type);
  const image = row.kind === 'deploy' ? row.image : null;
  const { ticket, verb } = row;
  return {
    kind: row.kind,
    started: row.started,
    deadline: row.deadline,
    abortAsked: row.abort_asked,
    now: row.now,
    power: {
      hands: driver === undefined || driver.name === 'manual',
      queryable: driver?.queryable ?? false,
      state: row.power_state,
      ...(row.power_state_at === null ? {} : { at: row.power_state_at }),
    },
    tickets: row.tickets,
    ...(ticket
      ? {
          ticket: {
            nonce: ticket.nonce,
            issued: ticket.issued,
            expires: ticket.expires,
            detail: ticket.detail,
            voided: ticket.voided,
            ...(ticket.checked_in === null ? {} : { checkedIn: ticket.checked_in }),
            ...(ticket.claimed === null ? {} : { claimed: ticket.claimed }),
            ...(ticket.heartbeat === null ? {} : { heartbeat: ticket.heartbeat }),
            ...(ticket.spent === null ? {} : { spent: ticket.spent }),
            ...(ticket.outcome === null ? {} : { outcome: ticket.outcome }),
            ...(ticket.void_reason === null ? {} : { voidReason: ticket.void_reason }),
          },
        }
      : {}),
    ...(verb
      ? {
          verb: {
            verb: verb.verb,
            state: verb.state,
            intended: verb.intended,
            error: verb.error,
            ...(verb.ended === null ? {} : { ended: verb.ended }),
            ...(verb.nonce === null ? {} : { nonce: verb.nonce }),
          },
        }
      : {}),
    imageReady: image === null || (await executor.door.hasImage(image.sha256, row.now - row.started)),
    imageReports: image?.cloud_init ?? true,
    dhcpApplied: await executor.door.dhcpNames(row.system_id, row.now - row.started),
    scriptsFailed: row.scripts_failed,
    systemSeen: row.system_seen,
    rescueSeen: row.rescue_seen,
  };
}
