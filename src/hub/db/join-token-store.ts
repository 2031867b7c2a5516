/** One-time tokens for joining. */
import { sql } from 'kysely';
import type { GlobalDb } from '../../global/db/document-store.ts';
import type { HubDb, Role } from './hub-tables.ts';

export interface JoinToken {
  readonly role: Role;
  readonly name: string;
  readonly number: number;
  readonly expired: boolean;
  readonly usedByKey: string | null;
  /** It is for one that has joined already. */
  readonly rejoins: boolean;
  /** Joining again, it may show another key. */
  readonly replaceKey: boolean;
}

/** A global transaction as the hub sees it: the tables are in the same database. */
export function asHub(db: GlobalDb): HubDb {
  return db as unknown as HubDb;
}

/** Store an invitation; earlier unused ones of the same name end. Returns when it expires. */
export async function putInvitation(
  db: HubDb,
  given: Pick<JoinToken, 'role' | 'name' | 'number' | 'rejoins' | 'replaceKey'> & {
    readonly hash: string;
    readonly by: string;
    readonly seconds: number;
  },
): Promise<Date> {
  const { hash, role, name, number, rejoins, replaceKey, by, seconds } = given;
  await db.deleteFrom('join_token').where('role', '=', role).where('name', '=', name).where('used_by_key', 'is', null).execute();
  const row = await db
    .insertInto('join_token')
    .values({
      hash,
      role,
      name,
      number,
      rejoins,
      replace_key: replaceKey,
      made_by: by,
      expires_at: sql<Date>`now() + make_interval(secs => ${seconds})`,
      used_by_key: null,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow();
  return row.expires_at;
}

/** Was this token ever given out? Takes no lock. */
export async function isInvitation(db: HubDb, hash: string): Promise<boolean> {
  return (await db.selectFrom('join_token').select('hash').where('hash', '=', hash).executeTakeFirst()) !== undefined;
}

/** The invitation of this token, locked. */
export async function lockInvitation(db: HubDb, hash: string): Promise<JoinToken | undefined> {
  const row = await db
    .selectFrom('join_token')
    .select(['role', 'name', 'number', 'used_by_key', 'rejoins', 'replace_key', sql<boolean>`expires_at < now()`.as('expired')])
    .where('hash', '=', hash)
    .forUpdate()
    .executeTakeFirst();
  if (!row) return undefined;
  const { role, name, number, expired, rejoins } = row;
  return { role, name, number, expired, usedByKey: row.used_by_key, rejoins, replaceKey: row.replace_key };
}

/** Use it up; `number`: the one that the joiner has got. */
export async function spendInvitation(db: HubDb, hash: string, key: string, number: number): Promise<void> {
  await db.updateTable('join_token').set({ used_by_key: key, number }).where('hash', '=', hash).execute();
}
