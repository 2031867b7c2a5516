/** A breaker: after a few failures in a row nobody asks any more, until a probe has succeeded. Pure but for its own count. */

/** Failures in a row that open it. */
const patience = 3;

export interface Breaker {
  open(): boolean;
  succeeded(): void;
  failed(): void;
}

export function breaker(failuresToOpen: number = patience): Breaker {
  let failures = 0;
  return {
    open: () => failures >= failuresToOpen,
    succeeded: () => void (failures = 0),
    failed: () => void (failures += 1),
  };
}
