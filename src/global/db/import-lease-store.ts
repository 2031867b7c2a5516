/** Who imports images: one process of the authority at a time, by the database's clock. */
import { sql } from 'kysely';
import type { GlobalDb } from './document-store.ts';

/** Take the lease, or keep it, for `ms`. @returns whether it is ours: it was free, run out, or ours already. */
export async function takeImportLease(db: GlobalDb, holder: string, ms: number): Promise<boolean> {
  const { rows } = await sql`
    insert into image_import_lease as lease (holder, until) values (${holder}, now() + make_interval(secs => ${ms / 1000}))
    on conflict (one) do update set holder = excluded.holder, until = excluded.until
    where lease.holder is null or lease.holder = excluded.holder or lease.until < now()
    returning 1`.execute(db);
  return rows.length > 0;
}

/** Give it up; `finished`: the import has come to its end. Nothing happens when it is not ours any more. */
export async function leaveImportLease(db: GlobalDb, holder: string, finished: boolean): Promise<void> {
  await db
    .updateTable('image_import_lease')
    .set({ holder: null, ...(finished ? { finished: sql<Date>`now()` } : {}) })
    .where('holder', '=', holder)
    .execute();
}

/** Seconds since the last import ended; undefined when there was none. */
export async function sinceLastImport(db: GlobalDb): Promise<number | undefined> {
  const row = await db
    .selectFrom('image_import_lease')
    .select(sql<number | null>`extract(epoch from now() - finished)::float8`.as('seconds'))
    .executeTakeFirst();
  return row?.seconds ?? undefined;
}
