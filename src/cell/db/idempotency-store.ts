/** Requests that carry an Idempotency-Key: done once, and answered again as the first time. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface KeyedRequest {
  readonly username: string;
  readonly key: string;
  /** A digest of what was asked. */
  readonly request: string;
}

export interface EarlierRequest {
  readonly request: string;
  readonly reply: unknown;
}

/**
 * Take the key in the transaction of the work. A concurrent request with the same key waits here until this transaction has ended.
 * @returns what the first request was answered; undefined when this is the first, which must then say `answered`.
 */
export async function takeKey(tx: CellDb, given: KeyedRequest): Promise<EarlierRequest | undefined> {
  const taken = await sql`
    insert into idempotency (username, key, request) values (${given.username}, ${given.key}, ${given.request})
    on conflict (username, key) do nothing`.execute(tx);
  if (taken.numAffectedRows === 1n) return undefined;
  const { rows } = await sql<EarlierRequest>`
    select request, reply from idempotency where username = ${given.username} and key = ${given.key}`.execute(tx);
  return rows[0];
}

/** What a repetition is to be answered. */
export async function answered(tx: CellDb, given: KeyedRequest, reply: unknown): Promise<void> {
  await sql`update idempotency set reply = ${JSON.stringify(reply)}::jsonb where username = ${given.username} and key = ${given.key}`.execute(tx);
}

/** Forget keys older than a day: nobody repeats a request for so long. */
export async function forgetKeys(db: CellDb): Promise<void> {
  await sql`delete from idempotency where created < now() - interval '1 day'`.execute(db);
}
