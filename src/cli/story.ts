/** What a run tells while it runs: one line an event, with the seconds since it began. */

export interface Story {
  /** `[  3.2 s] text`. */
  tell(text: string): void;
  /** Without time: what stays on the screen at the end. */
  say(text: string): void;
  /** Seconds since the beginning. */
  seconds(): number;
}

export function createStory(write: (text: string) => void, now: () => number = () => performance.now()): Story {
  const began = now();
  const seconds = () => (now() - began) / 1000;
  return {
    seconds,
    tell: (text) => write(`[${seconds().toFixed(1).padStart(6)} s] ${text}\n`),
    say: (text) => write(`${text}\n`),
  };
}
