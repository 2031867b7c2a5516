/**
 * Assertions: how a front tells one cell (or the hub) who is calling, for one request, at most 60 seconds. A caller's own secret never
 * reaches a cell through a front, so a hijacked cell learns nothing that it could replay.
 */
import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { GlobalReader } from './document.ts';
import { peekSeal, seal, unseal } from './seal.ts';
import { publicKeyFrom } from './signing-key.ts';

/** The header that carries it. */
export const assertionHeader = 'muster-assertion';
export const assertionSeconds = 60;
/** Clocks of two machines may differ by this much, in seconds. */
const skew = 30;

const AssertionClaims = Type.Object({
  user: Type.String(),
  userId: Type.Integer({ minimum: 0 }),
  admin: Type.Boolean(),
  generation: Type.Integer({ minimum: 1 }),
  /** The program that it is meant for: a cell's name, or `hub`. */
  cell: Type.String(),
  method: Type.String(),
  /** Path and query, as sent. */
  path: Type.String(),
  /** Seconds since 1970. */
  exp: Type.Integer(),
  front: Type.String(),
});

export type AssertionClaims = Static<typeof AssertionClaims>;

const check = Compile(AssertionClaims);

/** Seal an assertion with the front's private key. `now`: ms since 1970. */
export function makeAssertion(key: KeyObject, claims: Omit<AssertionClaims, 'exp'>, now: number): string {
  return seal(key, 'assertion', { ...claims, exp: Math.floor(now / 1000) + assertionSeconds });
}

/** What a request must be for an assertion to speak for it. */
export interface Asserted {
  readonly cell: string;
  readonly method: string;
  readonly path: string;
}

/**
 * Whom a registered front vouches for; undefined when it is not signed by one, or not for this program, request and minute, or the user is
 * retired or of a newer generation here. Rights come from the replica; only of a user it has not heard of yet is the front's word taken.
 */
export function readAssertion(
  text: string,
  asserted: Asserted,
  reader: GlobalReader,
  now: number,
): { id: number; username: string; admin: boolean } | undefined {
  const peeked = peekSeal(text);
  const front = check.Check(peeked) ? reader.named('front', peeked.front) : undefined;
  const key = front && publicKeyFrom(front.key);
  const claims = key && unseal(key, 'assertion', text);
  if (!check.Check(claims) || claims.front !== front?.name) return undefined;
  const seconds = now / 1000;
  if (claims.exp + skew < seconds || claims.exp > seconds + assertionSeconds + skew) return undefined;
  if (claims.cell !== asserted.cell || claims.method !== asserted.method || claims.path !== asserted.path) return undefined;
  if (reader.isRetired('user', claims.userId)) return undefined;
  const user = reader.get('user', claims.userId);
  if (!user) return { id: claims.userId, username: claims.user, admin: claims.admin };
  return user.username === claims.user && claims.generation >= user.generation
    ? { id: user.id, username: user.username, admin: user.is_superuser }
    : undefined;
}
