/** The cell's networks as bodies, and one change of them with its event. */
import { fail, invalid, type FieldErrors } from '../../contract/errors.ts';
import { TransactionConflict, UniqueViolation } from '../../postgres/database-errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { isStillReferenced } from '../db/network-guard.ts';
import { readNetworks } from '../db/network-read.ts';
import { networkBodies, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';

/** All networks: one statement. */
export async function networkView({ database, global }: Pick<NetworkContext, 'database' | 'global'>): Promise<NetworkBodies> {
  return networkBodies(await readNetworks(database.db), global);
}

/** An id of a path or parameter; NaN when it is none, which nothing has. */
export function idOfText(text: string): number {
  const id = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(id) ? id : Number.NaN;
}

/** `item`, or 404. @throws Failure `not_found`. */
export function found<T>(item: T | undefined, what: string): T {
  if (item === undefined) throw fail('not_found', { what });
  return item;
}

/** A creation that names its cell must name this one. @throws Failure `invalid`. */
export function refuseOtherCell({ cellName }: Pick<NetworkContext, 'cellName'>, cell: string | undefined): void {
  if (cell !== undefined && cell !== '' && cell !== cellName)
    throw invalid({ cell: [`This is cell ${cellName}. Ask a front for ${cell}.`] });
}

/** What a 400 says when a name or number is taken, by the unique index that said so. */
export type Taken = Readonly<Record<string, FieldErrors>>;

/**
 * One transaction; `work` says in words what it did, and that becomes an event, which wakes whoever follows the network (DHCP).
 * @throws Failure of `work`; `invalid` from `taken`; `conflict` when two changes got in each other's way.
 */
export async function changeNetwork<T>(
  { database }: Pick<NetworkContext, 'database'>,
  username: string,
  taken: Taken,
  work: (tx: CellDb) => Promise<{ readonly did: string; readonly value: T }>,
): Promise<T> {
  return told(taken, () =>
    database.transaction(async (tx) => {
      const { did, value } = await work(tx);
      await record(tx, { kind: 'network_changed', username, description: did });
      return value;
    }),
  );
}

/** Turn what the database says of a race or a taken name into what the API says. */
export async function told<T>(taken: Taken, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fields = error instanceof UniqueViolation ? taken[error.constraint] : undefined;
    if (fields) throw invalid(fields);
    // What it refers to was deleted meanwhile.
    if (error instanceof TransactionConflict || isStillReferenced(error)) throw fail('conflict', { what: 'this' });
    throw error;
  }
}
