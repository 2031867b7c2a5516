/** How busy this process is: two numbers over a window of 10 to 20 seconds, so that a reader at any moment sees neither a spike nor a year. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Load {
  /** Share of one processor core. */
  readonly cpu: number;
  /** Milliseconds by which 99 of 100 timers were late at most. */
  readonly delay: number;
}

export interface LoadWatch extends Disposable {
  now(): Load;
}

const windowMs = 10_000;
/** The timer that is measured: every 20 ms, as long as it is not late. */
const resolution = 20;

/** Begin to watch. Answers from the last full window and the running one, whichever was worse. */
export function watchLoad(): LoadWatch {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  let began = performance.now();
  let before = process.cpuUsage();
  let last: Load = { cpu: 0, delay: 0 };
  const running = (): Load => {
    const { user, system } = process.cpuUsage(before);
    const ms = performance.now() - began;
    // The histogram counts from one tick to the next in nanoseconds: what is above the resolution is delay.
    const late = Math.max(0, delays.percentile(99) / 1e6 - resolution);
    return { cpu: ms < 100 ? 0 : (user + system) / 1000 / ms, delay: Number.isFinite(late) ? late : 0 };
  };
  const timer = setInterval(() => {
    last = running();
    delays.reset();
    began = performance.now();
    before = process.cpuUsage();
  }, windowMs);
  timer.unref();
  return {
    now: () => {
      const now = running();
      return { cpu: Math.max(now.cpu, last.cpu), delay: Math.max(now.delay, last.delay) };
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      delays.disable();
    },
  };
}
