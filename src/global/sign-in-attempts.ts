/**
 * Slows down guessing of passwords: so many failures a minute for one name from one address, for one name, and for one address. In memory;
 * each process counts its own. Through a front all addresses look like the front's, so the limit of an address is wide.
 */
import { fail } from '../contract/errors.ts';

const windowMs = 60_000;
const limits = { both: 10, name: 60, address: 300 } as const;

export class SignInAttempts {
  readonly #failures = new Map<string, number[]>();

  /** @throws Failure `too_many` when this name or address has failed too often within the last minute. */
  check(username: string, address: string, now: number): void {
    for (const [key, limit] of keysOf(username, address)) {
      if (this.#recent(key, now).length >= limit) throw fail('too_many', { what: 'wrong passwords', limit });
    }
  }

  failed(username: string, address: string, now: number): void {
    for (const [key] of keysOf(username, address)) this.#failures.set(key, [...this.#recent(key, now), now]);
    // Bounded whatever an attacker sends: forget everybody who has not failed lately.
    if (this.#failures.size < 10_000) return;
    for (const key of this.#failures.keys()) if (this.#recent(key, now).length === 0) this.#failures.delete(key);
  }

  #recent(key: string, now: number): number[] {
    return (this.#failures.get(key) ?? []).filter((at) => at > now - windowMs);
  }
}

function keysOf(username: string, address: string): [string, number][] {
  return [
    [`both ${address} ${username}`, limits.both],
    [`name ${username}`, limits.name],
    [`address ${address}`, limits.address],
  ];
}
