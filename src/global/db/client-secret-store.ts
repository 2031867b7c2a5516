/** Secrets of OpenID clients, on the authority only. */
import type { GlobalDb } from './document-store.ts';

export async function putClientSecret(db: GlobalDb, providerId: number, secret: string): Promise<void> {
  await db
    .insertInto('client_secret')
    .values({ provider_id: providerId, secret })
    .onConflict((conflict) => conflict.column('provider_id').doUpdateSet({ secret }))
    .execute();
}

export async function dropClientSecret(db: GlobalDb, providerId: number): Promise<void> {
  await db.deleteFrom('client_secret').where('provider_id', '=', providerId).execute();
}

/** All of them: this database is no authority's any more. */
export async function dropClientSecrets(db: GlobalDb): Promise<void> {
  await db.deleteFrom('client_secret').execute();
}
