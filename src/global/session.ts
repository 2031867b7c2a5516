/**
 * Sessions: what a person holds after signing in with a password. Minted and signed by the authority (hub or standalone cell), verified by
 * anyone with its public key; at most 15 minutes, renewed silently. A session says who, never what: rights are the replica's to know.
 */
import { randomUUID, type KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { GlobalReader } from './document.ts';
import type { BodyOf } from './kinds.ts';
import type { Rotation } from './key-rotation.ts';
import { seal, unseal } from './seal.ts';
import { publicKeyFrom } from './signing-key.ts';

/** Seconds that a session lasts. */
export const sessionSeconds = 900;
/** Seconds after its session's end that a sign-out is remembered: clocks may be wrong. */
export const revocationSlack = 3_600;
/** The cookie that carries it in browsers. */
export const sessionCookie = 'muster_session';

const SessionClaims = Type.Object({
  session: Type.String(),
  user: Type.Integer(),
  generation: Type.Integer(),
  /** Seconds since 1970. */
  until: Type.Integer(),
});

export type SessionClaims = Static<typeof SessionClaims>;

const check = Compile(SessionClaims);

/** A signed session for this user. `session`: the id of the one that it renews. `now`: ms since 1970. */
export function mintSession(key: KeyObject, user: BodyOf<'user'>, now: number, session: string = randomUUID()): string {
  const claims: SessionClaims = { session, user: user.id, generation: user.generation, until: Math.floor(now / 1000) + sessionSeconds };
  return seal(key, 'session', claims);
}

/** A key that sessions may be signed with. */
export interface SessionKey {
  readonly key: KeyObject;
  /** Seconds since 1970. Of a key that was replaced: it signs no session that ends later. */
  readonly until?: number;
}

/** Clocks of two processes of a hub may differ by this much, in seconds. */
const skew = 60;

/** Keys that were replaced, as far as a session of theirs may still be open. The newest first; `rotations` oldest first. */
export function replacedKeys(rotations: readonly Rotation[]): SessionKey[] {
  return rotations
    .slice(-3)
    .toReversed()
    .flatMap(({ from, at }) => {
      const key = publicKeyFrom(from);
      return key ? [{ key, until: at + sessionSeconds + skew }] : [];
    });
}

/** The user of a session that is signed, unexpired, not signed out and of the user's present generation; else undefined. */
export function readSession(
  text: string,
  keys: readonly SessionKey[],
  reader: GlobalReader,
  now: number,
): { readonly user: BodyOf<'user'>; readonly claims: SessionClaims } | undefined {
  const claims = claimsOf(text, keys);
  if (!claims || claims.until * 1000 < now || claims.until * 1000 > now + (sessionSeconds + skew) * 1000) return undefined;
  if (reader.get('revocation', claims.session)) return undefined;
  const user = reader.get('user', claims.user);
  return user && user.generation === claims.generation ? { user, claims } : undefined;
}

function claimsOf(text: string, keys: readonly SessionKey[]): SessionClaims | undefined {
  for (const { key, until } of keys) {
    const claims = unseal(key, 'session', text);
    if (check.Check(claims) && (until === undefined || claims.until <= until)) return claims;
  }
  return undefined;
}

/** The Set-Cookie header for a session; `secure` where the client came over TLS. An empty text signs out. */
export function sessionCookieHeader(text: string, secure: boolean): string {
  const age = text === '' ? 0 : sessionSeconds;
  return `${sessionCookie}=${text}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}

/** The session in a Cookie header, if there is one. */
export function sessionOfCookies(header: string): string | undefined {
  const pair = header
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${sessionCookie}=`));
  const value = pair?.slice(sessionCookie.length + 1);
  return value === '' ? undefined : value;
}
