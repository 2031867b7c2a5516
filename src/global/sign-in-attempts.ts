/**
 * Slows down guessing of passwords: so many failures a minute for one name from one client, for one name, and for one client. In memory;
 * each process counts its own. What is refused is not counted, so a client at its limit cannot use up a name's: six of them must guess at
 * one name before its owner has to wait.
 */
import { fail } from '../contract/errors.ts';

const windowMs = 60_000;
/** `client` is wide enough for an office behind one address. */
const limits = { both: 10, name: 60, client: 100 } as const;

export class SignInAttempts {
  readonly #failures = new Map<string, number[]>();

  /**
   * Count an attempt before its password is looked at, so that guesses that come at once do not all pass. `address`: the client's
   * (`client-address.ts`). @returns to be called when the password was right, or nobody could tell: it gives the attempt back.
   * @throws Failure `too_many` after too many failures within the last minute.
   */
  begin(username: string, address: string, now: number): () => void {
    this.check(username, address, now);
    this.failed(username, address, now);
    return () => {
      for (const [key] of keysOf(username, address)) {
        const times = this.#failures.get(key) ?? [];
        const at = times.indexOf(now);
        if (at >= 0) this.#failures.set(key, times.toSpliced(at, 1));
      }
    };
  }

  /** @throws Failure `too_many`. */
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

/** An IPv6 client has a whole /64 to call from (RFC 6177 §2). */
function clientOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill('0'), ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

function keysOf(username: string, address: string): [string, number][] {
  const client = clientOf(address);
  return [
    [`both ${client} ${username}`, limits.both],
    [`name ${username}`, limits.name],
    [`client ${client}`, limits.client],
  ];
}
