/** What an authority forgets, every ten minutes, so that nothing in its database grows for ever. A follower that is older gets a snapshot. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authority } from './authority.ts';
import { dropOldChanges, dropRetired, dropRevocations } from './db/document-store.ts';
import { keptChanges } from './revision.ts';

const everyMs = 600_000;

/** Once. `kept`: for tests. Sign-outs are forgotten an hour after their session would have ended. */
export async function trimGlobal(authority: Authority, kept: number = keptChanges): Promise<void> {
  const { db, memory } = authority;
  await dropOldChanges(db, kept);
  // As the log: whoever is farther behind gets a snapshot, without them.
  await dropRetired(db, (stream) => memory.revision(stream), kept);
  memory.dropRetired(kept);
  const now = Date.now();
  await dropRevocations(db, now);
  memory.dropRevocations(now);
}

/** Until disposed. Two processes over one database may do it at the same moment. */
export function keepTrimmed(trim: () => Promise<void>, onTrouble: (error: unknown) => void): AsyncDisposable {
  const over = new AbortController();
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await trim().catch(onTrouble);
      await sleep(everyMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
    },
  };
}
