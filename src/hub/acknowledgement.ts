/**
 * Read your writes: a write of the hub answers when every connected cell and front has applied its revision, as their next polls say; after
 * two seconds it answers anyway and names those that have not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Written } from '../global/authority.ts';
import type { Database } from '../postgres/database.ts';
import { openFeedWakeups } from '../postgres/feed-wakeups.ts';
import { progressChannel, readLagging } from './db/progress-store.ts';
import type { HubTables } from './db/hub-tables.ts';

const patienceMs = 2_000;

export interface Acknowledgements extends AsyncDisposable {
  /** Names of programs that were connected at the write or since, and have not applied it after at most 2 s. */
  settled(written: Written<unknown>): Promise<readonly string[]>;
}

export function openAcknowledgements(database: Database<HubTables>): Acknowledgements {
  const wakeups = openFeedWakeups(database.connection, progressChannel);
  return {
    settled: async ({ stream, revision }) => {
      const until = performance.now() + patienceMs;
      // Who falls silent meanwhile is waited for no longer, but has not applied it either: it may have got a batch that it cannot apply.
      const known = new Set<string>();
      for (;;) {
        // Before the look, so that an acknowledgement during it is not missed.
        const rest = until - performance.now();
        const stop = new AbortController();
        const woken = wakeups.wait(Math.max(0, Math.min(rest, 500)), stop.signal);
        const lagging = await readLagging(database.db, stream, revision, [...known]);
        if (rest <= 0 || !lagging.some(({ connected }) => connected)) {
          stop.abort();
          return [...new Set(lagging.map(({ name }) => name))];
        }
        for (const { process } of lagging) known.add(process);
        await woken;
        // Acknowledgements come in swarms; look once for several.
        await sleep(5);
      }
    },
    [Symbol.asyncDispose]: () => wakeups.close(),
  };
}
