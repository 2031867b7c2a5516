/** The database handle that every store of the cell takes first: the pool's or a transaction's. */
import type { Kysely } from 'kysely';
import type { CellTables } from './schema.ts';

export type CellDb = Kysely<CellTables>;

/** Raised by a guarded update that found no row: somebody else changed it first, or a newer lease holder is at work. */
export class LostRace extends Error {
  override readonly name = 'LostRace';
}
