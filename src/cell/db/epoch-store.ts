/** What happens with a new epoch: the database is older than what this cell has done, so nothing that may write a disk goes on by itself. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { openFinding } from './finding-store.ts';

/**
 * Void every ticket, close every power verb, park every operation as failed, lock every machine, and say so. A locked machine boots its own
 * disk and is neither allocated nor erased: unlocking it says that somebody has looked. Runs in the transaction of the new epoch.
 */
export async function parkEverything(tx: CellDb, epoch: number): Promise<void> {
  const reason = 'the database was restored: verify the machine, unlock it, then start again';
  await sql`update ticket set voided = now(), void_reason = ${reason} where voided is null and spent is null`.execute(tx);
  await sql`update credential set revoked = now() where kind = 'boot' and revoked is null`.execute(tx);
  await sql`update power_verb set state = 'closed', ended = now(), error = ${reason} where state in ('live', 'hands')`.execute(tx);
  await sql`
    with parked as (
      update operation set outcome = 'failed', error = ${reason}, ended = now(), step = 'finish' where outcome = 'live' returning system_id)
    update machine m set status = 8, previous_status = m.status, status_since = now(), error_description = ${reason}, generation = generation + 1
    from parked p where p.system_id = m.system_id`.execute(tx);
  await sql`update machine set locked = true, generation = generation + 1`.execute(tx);
  await openFinding(tx, { kind: 'restored_database', subject: String(epoch), data: { epoch } });
}
