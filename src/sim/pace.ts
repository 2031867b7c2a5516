/** Simulated time, and how much may happen at once: thousands of machines in one process without a storm of timers or sockets. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  /** Simulated seconds a real second. */
  readonly speed: number;
  /** Wait simulated seconds, at least a millisecond. @throws the signal's reason when it aborts. */
  pause(seconds: number, signal: AbortSignal): Promise<void>;
  /** Do this when there is room for it. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** @param atOnce how many conversations of the whole fleet may be open at one time; those that wait are served in order. */
export function createPace(speed: number, atOnce: number): Pace {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return {
    speed,
    async pause(seconds, signal) {
      signal.throwIfAborted();
      try {
        await sleep(Math.max(1, (seconds * 1000) / speed), undefined, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    async run(work) {
      if (free > 0) free -= 1;
      else await new Promise<void>((go) => waiting.push(go));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}
