/**
 * How many machines this process lets be released, erased or deployed: with one call, and in any minute (architecture §11). The limit is the
 * cell's own: a hub or front that was taken over can order no more than this. Each process of a cell counts for itself.
 */
import { fail, type Failure } from '../../contract/errors.ts';

const windowMs = 60_000;

export interface DestructiveLimits {
  readonly cellName: string;
  readonly perCall: number;
  readonly perMinute: number;
  /** Milliseconds that only rise; for tests. */
  readonly now?: () => number;
}

export class DestructiveLimit {
  readonly #limits: DestructiveLimits;
  readonly #now: () => number;
  #taken: { readonly at: number; count: number }[] = [];

  constructor(limits: DestructiveLimits) {
    this.#limits = limits;
    this.#now = limits.now ?? (() => performance.now());
  }

  /** @throws Failure `too_many_machines` when one call names more than it may. */
  judgeCall(count: number): void {
    const { perCall, cellName } = this.#limits;
    if (count > perCall) throw fail('too_many_machines', { limit: perCall, count, cell: cellName });
  }

  /** Take as many as there is room for in this minute, at most `count`. */
  reserve(count: number): number {
    const now = this.#now();
    this.#taken = this.#taken.filter(({ at }) => at > now - windowMs);
    const used = this.#taken.reduce((sum, one) => sum + one.count, 0);
    const granted = Math.max(0, Math.min(count, this.#limits.perMinute - used));
    if (granted > 0) this.#taken.push({ at: now, count: granted });
    return granted;
  }

  /** Give back what was reserved and not used. */
  refund(count: number): void {
    let left = count;
    for (const one of this.#taken.toReversed()) {
      const back = Math.min(left, one.count);
      one.count -= back;
      left -= back;
    }
  }

  /** All of `count`, or nothing. @throws Failure `too_many_a_minute` */
  take(count: number): void {
    const granted = this.reserve(count);
    if (granted === count) return;
    this.refund(granted);
    throw this.refusal(count);
  }

  refusal(count: number): Failure {
    const { perMinute, cellName } = this.#limits;
    return fail('too_many_a_minute', { limit: perMinute, count, cell: cellName });
  }
}
