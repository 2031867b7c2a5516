/** Requests that carry an Idempotency-Key: done once, and answered again as the first time. */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { fail } from '../../contract/errors.ts';
import type { CellDb } from './cell-db.ts';

/** What tells one request from another: whose it is, its key, and what it asks for. */
export interface KeyedCall {
  readonly route: string;
  /** The values of the path, where there are any. */
  readonly path: unknown;
  readonly caller: { readonly username: string };
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly request: { readonly idempotencyKey: string | undefined };
}

function digest({ route, path, fields }: KeyedCall): string {
  const given = Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([route, path, given]))
    .digest('hex');
}

/**
 * Do `work` once for the call's key, in its transaction `tx`; a repetition gets what the first one returned, and one that comes while the
 * first is under way waits for it. What failed was rolled back, and is done afresh. Without a key: just `work`.
 * @throws Failure `idempotency_mismatch` when the key was used for something else.
 */
export async function once<T>(tx: CellDb, call: KeyedCall, work: () => Promise<T>): Promise<T> {
  const key = call.request.idempotencyKey;
  if (key === undefined) return work();
  const { username } = call.caller;
  const request = digest(call);
  const taken = await sql`
    insert into idempotency (username, key, request) values (${username}, ${key}, ${request})
    on conflict (username, key) do nothing`.execute(tx);
  if (taken.numAffectedRows !== 1n) {
    const { rows } = await sql<{ request: string; reply: T }>`
      select request, reply from idempotency where username = ${username} and key = ${key}`.execute(tx);
    const [earlier] = rows;
    if (earlier?.request !== request) throw fail('idempotency_mismatch');
    return earlier.reply;
  }
  const reply = await work();
  await sql`update idempotency set reply = ${JSON.stringify(reply)}::jsonb where username = ${username} and key = ${key}`.execute(tx);
  return reply;
}

/** Which claim a key stands for; a row of the same table, so that a key is one thing, whichever way a call comes. */
export interface SettledKey {
  readonly cell: number;
  readonly claim: string;
  readonly system_id: string;
}

/**
 * Settle a key: the first claim wins, and is replaced only by who names it in `insteadOf`. One statement; returns what holds now.
 * @throws Failure `idempotency_mismatch` when the key was used for something else.
 */
export async function settleKey(
  db: CellDb,
  { username, key, request }: { readonly username: string; readonly key: string; readonly request: string },
  wanted: SettledKey,
  insteadOf: string | undefined,
): Promise<SettledKey> {
  const { rows } = await sql<{ request: string; reply: SettledKey }>`
    insert into idempotency (username, key, request, reply) values (${username}, ${key}, ${request}, ${JSON.stringify(wanted)}::jsonb)
    on conflict (username, key) do update set reply = case
      when idempotency.request = excluded.request and idempotency.reply->>'claim' = ${insteadOf ?? null} then excluded.reply
      else idempotency.reply end
    returning request, reply`.execute(db);
  const [held] = rows;
  if (held?.request !== request) throw fail('idempotency_mismatch');
  return held.reply;
}

/** What a key was settled to here; undefined when it was not, or stands for a call that came to this cell directly. One statement. */
export async function settledKey(
  db: CellDb,
  username: string,
  key: string,
): Promise<(SettledKey & { readonly request: string }) | undefined> {
  const { rows } = await sql<{ request: string; reply: SettledKey }>`
    select request, reply from idempotency where username = ${username} and key = ${key} and reply ? 'claim'`.execute(db);
  const [row] = rows;
  return row && { ...row.reply, request: row.request };
}

/** Forget keys older than a day: nobody repeats a request for so long. */
export async function forgetKeys(db: CellDb): Promise<void> {
  await sql`delete from idempotency where created < now() - interval '1 day'`.execute(db);
}
