/**
 * A retry budget: every call pays in a share of a retry, every retry takes one out. When everything fails, retries are a tenth of the
 * traffic and not a multiple of it.
 */
export interface RetryBudget {
  /** A first attempt was made. */
  earn(): void;
  /** May one retry be made? Takes it. */
  spend(): boolean;
}

/** Retries that may be saved up: enough for a cell's restart, too few for a storm. */
const most = 20;

export function retryBudget(share: number): RetryBudget {
  let saved = share === 0 ? 0 : most / 2;
  return {
    earn: () => void (saved = Math.min(most, saved + share)),
    spend: () => {
      if (saved < 1) return false;
      saved -= 1;
      return true;
    },
  };
}
