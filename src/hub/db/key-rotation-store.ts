/** Changes of the hub's key, shared by all of its processes. */
import { sql } from 'kysely';
import { announce } from '../../global/db/document-store.ts';
import { asGlobalTransaction, type HubDb } from './hub-tables.ts';

export interface StoredRotation {
  readonly fromKey: string;
  readonly toKey: string;
  readonly announcement: string;
  readonly sealedKey: string | null;
}

/** All there are; no order. */
export async function readRotations(db: HubDb): Promise<StoredRotation[]> {
  const rows = await db.selectFrom('hub_key_rotation').select(['from_key', 'to_key', 'announcement', 'sealed_key']).execute();
  return rows.map((row) => ({ fromKey: row.from_key, toKey: row.to_key, announcement: row.announcement, sealedKey: row.sealed_key }));
}

/** Stores one and wakes the other processes. @returns false when the old key has been changed already. */
export async function putRotation(db: HubDb, { fromKey, toKey, announcement, sealedKey }: StoredRotation, by: string): Promise<boolean> {
  const row = { from_key: fromKey, to_key: toKey, announcement, sealed_key: sealedKey, by };
  const stored = await db
    .insertInto('hub_key_rotation')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('from_key')
    .execute();
  await announce(asGlobalTransaction(db), 'config');
  return stored.length > 0;
}

/** Private keys that every process has had a day to fetch; of these announcements only. */
export async function dropSealedKeys(db: HubDb, announcements: readonly string[]): Promise<void> {
  await sql`
    update hub_key_rotation set sealed_key = null
    where sealed_key is not null and at < now() - interval '1 day' and announcement = any(${[...announcements]})`.execute(db);
}
