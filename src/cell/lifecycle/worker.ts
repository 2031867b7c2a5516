/**
 * A loop that takes no input: woken by NOTIFY or by its timer it asks the database what is due, does that, and asks again until nothing is.
 * Errors (the database away, a bug) are logged and the loop goes on after a pause; it ends when its signal says so.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Loop {
  /** Do what is due; returns how much that was. */
  readonly work: () => Promise<number>;
  /** Milliseconds until something is due by time; undefined when nothing waits. */
  readonly nextDue: () => Promise<number | undefined>;
  /** Resolves at the next wake-up, or when the signal aborts. Left out: only time moves this loop, and `nextDue` is kept to the letter. */
  readonly woken?: (signal: AbortSignal) => Promise<void>;
  /** At least this many milliseconds between two rounds: for work that costs the same however much has happened. */
  readonly calm?: number;
  readonly onError: (error: unknown) => void;
}

/** Looked for at least this often: a lost NOTIFY costs this much and no more. */
const longestSleep = 15_000;
const pauseAfterError = 1_000;

/** Run the loop until `signal` aborts; resolves when the work in hand is done. */
export async function runLoop(loop: Loop, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const woken = new AbortController();
      const either = AbortSignal.any([signal, woken.signal]);
      const wake = loop.woken?.(either);
      if ((await loop.work()) === 0) {
        const due = Math.max(20, (await loop.nextDue()) ?? longestSleep);
        const pause = sleep(wake ? Math.min(longestSleep, due) : due, undefined, { signal: either }).catch(() => undefined);
        await (wake ? Promise.race([wake, pause]) : pause);
      }
      if (loop.calm !== undefined) await sleep(loop.calm, undefined, { signal }).catch(() => undefined);
      woken.abort();
    } catch (error) {
      if (signal.aborted) return;
      loop.onError(error);
      await sleep(pauseAfterError, undefined, { signal }).catch(() => undefined);
    }
  }
}
