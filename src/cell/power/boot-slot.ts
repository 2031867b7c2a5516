// A rack's power and the cell's files stand only so many machines starting at once (peers.md item 21).

/** A boot that has not checked in after 3 min holds nothing up any more (the slowest one measured took 144 s, netboot.md). */
export const longestBootMs = 180_000;

export interface BootSlots {
  /** How many more machines may be started now. */
  readonly free: number;
  /** When the next slot becomes free by time alone; undefined while one is free. Check-ins free slots earlier. */
  readonly nextAt: number | undefined;
}

/**
 * Counts boot slots. `startedAt`: when each machine that has not checked in since was switched on, in milliseconds.
 * A limit below one counts as one: a cell that can start nothing is of no use.
 */
export function bootSlots(startedAt: readonly number[], limit: number, now: number): BootSlots {
  const inFlight = startedAt.filter((at) => at + longestBootMs > now).sort((a, b) => a - b);
  const slots = Math.max(1, Math.floor(limit));
  const free = Math.max(0, slots - inFlight.length);
  const holder = inFlight[inFlight.length - slots];
  return { free, nextAt: free > 0 || holder === undefined ? undefined : holder + longestBootMs };
}
