import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { feedChannel } from './wake-after-commit.ts';

/** One LISTEN connection shared by all followers of a process. A wake-up may be lost; a follower's timer covers that. */
export type FeedWakeups = AsyncDisposable & {
  /** Resolves at the next wake-up, after `ms`, or when `signal` aborts; never rejects. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Whether it listens now. */
  listening(): boolean;
  close(): Promise<void>;
};

const reconnectPausesMs = [100, 500, 2_000, 5_000];

/** Starts listening and goes on for ever: a lost connection is made anew with growing pauses. */
export function openFeedWakeups(connection: pg.ClientConfig, channel: string = feedChannel): FeedWakeups {
  const sleepers = new Set<() => void>();
  const over = new AbortController();
  let client: pg.Client | undefined;
  let isListening = false;
  const wakeAll = (): void => {
    for (const wake of sleepers) wake();
  };

  const listenOnce = async (): Promise<void> => {
    const fresh = new pg.Client({ ...connection, keepAlive: true, connectionTimeoutMillis: 5_000 });
    const ended = new Promise<void>((resolve) => fresh.once('end', () => resolve()));
    fresh.on('error', () => undefined);
    fresh.on('notification', wakeAll);
    try {
      await fresh.connect();
      client = fresh;
      await fresh.query(`listen ${fresh.escapeIdentifier(channel)}`);
      isListening = true;
      // What was committed while nobody listened.
      wakeAll();
      if (over.signal.aborted) await fresh.end();
      await ended;
    } finally {
      isListening = false;
      client = undefined;
      await fresh.end().catch(() => undefined);
    }
  };
  const run = async (): Promise<void> => {
    for (let failures = 0; !over.signal.aborted;) {
      const start = Date.now();
      await listenOnce().catch(() => undefined);
      failures = Date.now() - start > 10_000 ? 0 : failures + 1;
      const pause = reconnectPausesMs[Math.min(failures, reconnectPausesMs.length) - 1] ?? 100;
      await sleep(pause, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();

  const close = async (): Promise<void> => {
    over.abort();
    await client?.end().catch(() => undefined);
    wakeAll();
    await running;
  };
  return {
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          sleepers.delete(done);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        sleepers.add(done);
        signal?.addEventListener('abort', done, { once: true });
        if (signal?.aborted === true || over.signal.aborted) done();
      }),
    listening: () => isListening,
    close,
    [Symbol.asyncDispose]: close,
  };
}
