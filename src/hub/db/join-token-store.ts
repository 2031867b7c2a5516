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
}

/** A global transaction as the hub sees it: the tables are in the same database. */
export function asHub(db: GlobalDb): HubDb {
  return db as unknown as HubDb;
}

/** Numbers that any invitation has ever been given. */
export async function invitedNumbers(db: HubDb, role: Role): Promise<Set<number>> {
  const rows = await db.selectFrom('join_token').select('number').where('role', '=', role).execute();
  return new Set(rows.map((row) => row.number));
}

/** The number of an unused invitation of this name, which a new one takes over. */
export async function openInvitation(db: HubDb, role: Role, name: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('join_token')
    .select('number')
    .where('role', '=', role)
    .where('name', '=', name)
    .where('used_by_key', 'is', null)
    .executeTakeFirst();
  return row?.number;
}

/** Store an invitation; earlier unused ones of the same name end. Returns when it expires. */
export async function putInvitation(
  db: HubDb,
  given: {
    readonly hash: string;
    readonly role: Role;
    readonly name: string;
    readonly number: number;
    readonly by: string;
    readonly seconds: number;
  },
): Promise<Date> {
  const { hash, role, name, number, by, seconds } = given;
  await db.deleteFrom('join_token').where('role', '=', role).where('name', '=', name).where('used_by_key', 'is', null).execute();
  const row = await db
    .insertInto('join_token')
    .values({ hash, role, name, number, made_by: by, expires_at: sql<Date>`now() + make_interval(secs => ${seconds})`, used_by_key: null })
    .returning('expires_at')
    .executeTakeFirstOrThrow();
  return row.expires_at;
}

/** The invitation of this token, locked. */
export async function lockInvitation(db: HubDb, hash: string): Promise<JoinToken | undefined> {
  const row = await db
    .selectFrom('join_token')
    .select(['role', 'name', 'number', 'used_by_key', sql<boolean>`expires_at < now()`.as('expired')])
    .where('hash', '=', hash)
    .forUpdate()
    .executeTakeFirst();
  return row && { role: row.role, name: row.name, number: row.number, expired: row.expired, usedByKey: row.used_by_key };
}

/** Use it up; `number`: the one that the joiner has got. */
export async function spendInvitation(db: HubDb, hash: string, key: string, number: number): Promise<void> {
  await db.updateTable('join_token').set({ used_by_key: key, number }).where('hash', '=', hash).execute();
}
