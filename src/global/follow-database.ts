/** Keeps memory fresh with what other processes on the same database commit: NOTIFY wakes it, a timer covers a lost wake-up. */
import type { Database } from '../postgres/database.ts';
import { openFeedWakeups } from '../postgres/feed-wakeups.ts';
import { globalChannel } from './db/document-store.ts';

/** Calls `refresh` until closed. Its failures are told to `onTrouble`, and memory stays as it is. */
export function followDatabase<Schema>(
  database: Pick<Database<Schema>, 'connection'>,
  refresh: () => Promise<void>,
  onTrouble: (error: unknown) => void,
  everyMs = 5_000,
): AsyncDisposable {
  const wakeups = openFeedWakeups(database.connection, globalChannel);
  const over = new AbortController();
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      // Before the refresh, so that a wake-up during it is not missed.
      const woken = wakeups.wait(everyMs, over.signal);
      await refresh().catch(onTrouble);
      await woken;
    }
  };
  const running = run();
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
      await wakeups.close();
    },
  };
}
