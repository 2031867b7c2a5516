/** Password verifiers, on the authority only. */
import type { GlobalDb } from './document-store.ts';

export async function readVerifier(db: GlobalDb, userId: number): Promise<string | undefined> {
  const row = await db.selectFrom('password_verifier').select('verifier').where('user_id', '=', userId).executeTakeFirst();
  return row?.verifier;
}

export async function putVerifier(db: GlobalDb, userId: number, verifier: string): Promise<void> {
  await db
    .insertInto('password_verifier')
    .values({ user_id: userId, verifier })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ verifier }))
    .execute();
}

export async function dropVerifier(db: GlobalDb, userId: number): Promise<void> {
  await db.deleteFrom('password_verifier').where('user_id', '=', userId).execute();
}

/** All of them: this database is no authority's any more. */
export async function dropVerifiers(db: GlobalDb): Promise<void> {
  await db.deleteFrom('password_verifier').execute();
}
