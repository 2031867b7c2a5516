import type { QueryExecutorProvider } from 'kysely';
import { DatabaseAway } from './database-errors.ts';
import type { FeedCursor } from './feed-cursor.ts';
import type { FeedWakeups } from './feed-wakeups.ts';
import { readFeed, readHead, type FeedPage } from './feed.ts';

export type FollowOptions = {
  /** Go on after this; `undefined` means from the oldest kept event, `'now'` from the next one to come. */
  readonly from: FeedCursor | 'now' | undefined;
  readonly signal: AbortSignal;
  /** Events a page at most. Default 500. */
  readonly limit?: number;
};

/** Some transaction is still open below committed events; it may end without a NOTIFY. */
const heldBackMs = 60;
const quietMs = 1_000;
const awayMs = 500;

/**
 * Follows the feed: pages of events in order, none skipped and none twice, until `signal` aborts
 * (then it ends without an error). It backfills at full speed, then waits for wake-ups, with a timer
 * of 1–5 s (jittered, longer while all is quiet) for those that get lost. A `reset` page means that
 * the reader must take a new snapshot; following goes on from that page's cursor. While PostgreSQL
 * is away it waits and tries again; other errors are thrown.
 *
 * A subscription of its own has to begin before the first read, or an event committed between a
 * read and the wait would go unnoticed until the timer: hence `wait` is armed before each read.
 */
export async function* followFeed(
  db: QueryExecutorProvider,
  wakeups: FeedWakeups,
  options: FollowOptions,
): AsyncGenerator<FeedPage, void, void> {
  const { signal, limit = 500 } = options;
  let cursor = options.from;
  let quiet = 0;
  while (!signal.aborted) {
    const armed = new AbortController();
    const woken = wakeups.wait(pauseMs(quiet), AbortSignal.any([signal, armed.signal]));
    let page: FeedPage | undefined;
    try {
      if (cursor === 'now') cursor = await readHead(db);
      page = await readFeed(db, cursor, limit);
    } catch (error) {
      if (!(error instanceof DatabaseAway)) {
        armed.abort();
        throw error;
      }
    }
    if (page === undefined) {
      armed.abort();
      await wakeups.wait(awayMs, signal);
      continue;
    }
    const isNews = page.kind === 'reset' || page.events.length > 0;
    if (isNews) {
      armed.abort();
      quiet = 0;
      cursor = page.cursor;
      if (!signal.aborted) yield page;
      continue;
    }
    quiet += 1;
    if (page.kind === 'events' && page.heldBack) {
      armed.abort();
      await wakeups.wait(heldBackMs, signal);
    } else {
      await woken;
    }
  }
}

/** 1 s at first, up to 5 s while nothing happens, ±20 % so that many followers do not read in step. */
function pauseMs(quiet: number): number {
  return Math.min(quietMs * (1 + quiet / 4), 5 * quietMs) * (0.8 + Math.random() * 0.4);
}
