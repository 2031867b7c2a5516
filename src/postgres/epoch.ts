/** What the epoch file says: how far this database was known to have come. */
export type EpochMark = {
  readonly epoch: number;
  /** The PostgreSQL cluster: transaction ids of two clusters cannot be compared. */
  readonly system: string;
  /** Transaction ids below this were in use. */
  readonly xid: bigint;
  /** The highest id of a committed event. */
  readonly id: number;
};

export type EpochDecision =
  /** A new database and no file: epoch 1. */
  | { readonly kind: 'fresh'; readonly epoch: number }
  /** The database has gone on from the mark. */
  | { readonly kind: 'same'; readonly epoch: number }
  /** The database is behind the mark, or its history cannot be vouched for. */
  | { readonly kind: 'restored'; readonly epoch: number; readonly why: string };

/**
 * Compares a database with the mark kept outside it. Pure.
 *
 * Without a file a database that has events counts as restored (a host was lost together with its
 * data folder and the database came back from a dump): unless `trustMissing`, for a second process
 * over one PostgreSQL that has not run on this host before. Somebody who knows must vouch for it: a live
 * process of the same program over the same database, or the operator.
 * The file's epoch above the database's means a restore, or a crash between writing the file and
 * committing the new epoch; both are answered by yet another epoch. Below it: another process over
 * the same PostgreSQL dealt with a restore; the mark is of a history that is gone, so it says nothing.
 */
export function decideEpoch(mark: EpochMark | undefined, database: EpochMark, options: { readonly trustMissing: boolean }): EpochDecision {
  const restored = (why: string): EpochDecision => ({
    kind: 'restored',
    epoch: Math.max(mark?.epoch ?? 0, database.epoch) + 1,
    why,
  });
  if (mark === undefined) {
    if (database.id === 0 && database.epoch === 1) return { kind: 'fresh', epoch: 1 };
    return options.trustMissing ? { kind: 'same', epoch: database.epoch } : restored('there is a database but no epoch file');
  }
  if (mark.epoch > database.epoch) return restored(`the epoch file says ${mark.epoch}, the database ${database.epoch}`);
  if (mark.epoch < database.epoch) return { kind: 'same', epoch: database.epoch };
  if (mark.system !== database.system) return restored('the database is in another PostgreSQL cluster now');
  if (database.id < mark.id) return restored(`event ${mark.id} was committed, the database ends at ${database.id}`);
  if (database.xid < mark.xid) return restored(`transaction ${mark.xid} had begun, the database is at ${database.xid}`);
  return { kind: 'same', epoch: database.epoch };
}

export function renderMark(mark: EpochMark): string {
  return `${JSON.stringify({ epoch: mark.epoch, system: mark.system, xid: String(mark.xid), id: mark.id })}\n`;
}

/** Reads what `renderMark` wrote; throws a sentence for anything else: a mark must not be guessed. */
export function parseMark(text: string): EpochMark {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { epoch, system, xid, id } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const fits = Number.isSafeInteger(epoch) && Number(epoch) > 0 && Number.isSafeInteger(id) && Number(id) >= 0;
  if (!fits || typeof system !== 'string' || typeof xid !== 'string' || !/^\d{1,20}$/.test(xid)) {
    throw new Error('The epoch file is damaged. Remove it: the database then counts as restored, and every machine is verified.');
  }
  return { epoch: Number(epoch), system, xid: BigInt(xid), id: Number(id) };
}
