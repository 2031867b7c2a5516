/** A position in the feed: the order of events is (epoch, transaction id, id). */
export type FeedCursor = {
  readonly epoch: number;
  /** xid8: 64 bits, so a bigint. */
  readonly xid: bigint;
  readonly id: number;
};

/** Before the first event of all. */
export const feedStart: FeedCursor = { epoch: 0, xid: 0n, id: 0 };

const maxXid = 2n ** 64n - 1n;
const maxEpoch = 2 ** 31 - 1;

/** The cursor as clients keep it (`Last-Event-ID`); opaque to them. */
export function encodeCursor(cursor: FeedCursor): string {
  return `${cursor.epoch}.${cursor.xid}.${cursor.id}`;
}

/** Reads a cursor a client sent back. `undefined` for anything `encodeCursor` would not have written. */
export function parseCursor(text: string): FeedCursor | undefined {
  if (text.length > 64) return undefined;
  const parts = /^(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,15})$/.exec(text);
  if (parts === null) return undefined;
  const cursor = { epoch: Number(parts[1]), xid: BigInt(parts[2] ?? ''), id: Number(parts[3]) };
  const fits = cursor.epoch <= maxEpoch && cursor.xid <= maxXid && Number.isSafeInteger(cursor.id);
  return fits ? cursor : undefined;
}

/** Negative when `a` comes before `b`. */
export function compareCursors(a: FeedCursor, b: FeedCursor): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (a.xid !== b.xid) return a.xid < b.xid ? -1 : 1;
  return a.id - b.id;
}

/** What the database says about itself, in the same snapshot as the rows read. */
export type FeedState = {
  readonly epoch: number;
  readonly trimmed: FeedCursor;
  /** pg_snapshot_xmin: every transaction below it has ended. */
  readonly horizon: bigint;
  /** The last event of the cursor's epoch, if that is an older one. */
  readonly endOfCursorEpoch: FeedCursor | undefined;
};

export type ResetReason = 'trimmed' | 'ahead' | 'other_history';

/**
 * Whether a cursor still names a place in this database's history; else why not.
 * A cursor is only ever given out below the horizon, and the horizon never falls while the database
 * goes on, so one at or above it comes from a future that was undone. One of an older epoch fits
 * only up to where that epoch ends here: what it saw beyond was undone by the restore.
 */
export function misfit(cursor: FeedCursor, state: FeedState): ResetReason | undefined {
  if (cursor.epoch > state.epoch) return 'ahead';
  if (cursor.epoch === state.epoch && cursor.xid >= state.horizon) return 'ahead';
  if (compareCursors(cursor, state.trimmed) < 0) return 'trimmed';
  if (cursor.epoch === state.epoch || cursor.epoch === 0) return undefined;
  const end = state.endOfCursorEpoch;
  return end !== undefined && compareCursors(cursor, end) <= 0 ? undefined : 'other_history';
}
