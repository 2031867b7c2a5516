/** Notices replicas that do not come back after an answer: a process that was killed between two polls must not hold up writes. */
import type { Poller } from './db/progress-store.ts';

/** A replica asks again as soon as it has applied an answer. */
const quietMs = 2_000;

export class QuietPollers {
  readonly #gone: (poller: Poller, seen: string) => Promise<void>;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `gone` decides by the database, which knows polls at other processes of the hub too; its failures do not matter here. */
  constructor(gone: (poller: Poller, seen: string) => Promise<void>) {
    this.#gone = gone;
  }

  /** An answer goes out to the poll of `seen`: the next one is expected soon. */
  expect(poller: Poller, seen: string): void {
    const key = `${poller.role}:${poller.process}`;
    clearTimeout(this.#timers.get(key));
    const look = () => {
      this.#timers.delete(key);
      this.#gone(poller, seen).catch(() => undefined);
    };
    this.#timers.set(key, setTimeout(look, quietMs).unref());
  }
}
