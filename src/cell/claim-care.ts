/** The care for claims and keys, for the cell's loop: what frees machines comes first, and nothing else can hold it up. */
import type { Database } from '../postgres/database.ts';
import { forgetClaims, freeUnconfirmed, tellUndelivered } from './db/claim-store.ts';
import { forgetKeys } from './db/idempotency-store.ts';
import type { CellTables } from './db/schema.ts';

/**
 * Free what was not confirmed, then the rest, each whatever becomes of the others.
 * @returns how many were freed. @throws what the first threw that did, after all were tried.
 */
export async function careForClaims(database: Database<CellTables>): Promise<number> {
  const { db } = database;
  const [freed, ...rest] = [
    await settled(() => freeUnconfirmed(database)),
    await settled(() => tellUndelivered(database)),
    await settled(() => forgetKeys(db)),
    await settled(() => forgetClaims(db)),
  ] as const;
  for (const one of [freed, ...rest]) if (one.status === 'rejected') throw one.reason;
  return freed.status === 'fulfilled' ? freed.value : 0;
}

async function settled<T>(work: () => Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work()]);
  return result;
}
