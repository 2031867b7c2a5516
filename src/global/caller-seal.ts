/**
 * How a registered cell or front shows the hub who it is on the replica feed: one header, signed by its own key, for one request. It works
 * through any proxy; what it guards is read-only, and the TLS connection under it is pinned to the hub's key.
 */
import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { GlobalReader } from './document.ts';
import { peekSeal, seal, unseal } from './seal.ts';
import { retiredNamed } from './member-state.ts';
import { publicKeyFrom } from './signing-key.ts';

export const callerHeader = 'muster-caller';
/** Seconds that clocks may differ; a client whose clock is further off corrects itself by the Date of the refusal. */
const skew = 300;

const CallerClaims = Type.Object({
  role: Type.Union([Type.Literal('cell'), Type.Literal('front')]),
  name: Type.String(),
  /** Tells the processes of one cell apart. */
  process: Type.String({ maxLength: 64 }),
  method: Type.String(),
  path: Type.String(),
  /** Seconds since 1970. */
  at: Type.Integer(),
});

export type CallerClaims = Static<typeof CallerClaims>;

const check = Compile(CallerClaims);

export function sealCaller(key: KeyObject, claims: CallerClaims): string {
  return seal(key, 'caller', claims);
}

/** The registered program that signed this header for this request; undefined when none did. `now`: ms since 1970. */
export function readCaller(
  text: string,
  request: { readonly method: string; readonly path: string },
  reader: GlobalReader,
  now: number,
): { readonly claims: CallerClaims; readonly number: number } | undefined {
  const peeked = peekSeal(text);
  const row = check.Check(peeked) ? reader.named(peeked.role, peeked.name) : undefined;
  const key = row && publicKeyFrom(row.key);
  const claims = key && unseal(key, 'caller', text);
  if (!row || !check.Check(claims) || claims.name !== row.name) return undefined;
  if (claims.method !== request.method || claims.path !== request.path) return undefined;
  return Math.abs(claims.at - now / 1000) <= skew ? { claims, number: row.number } : undefined;
}

/** The retired cell or front that signed this header with the key it had: it is told so, where a stranger is only refused. */
export function readRetiredCaller(text: string, reader: Pick<GlobalReader, 'retired'>): CallerClaims | undefined {
  const peeked = peekSeal(text);
  const row = check.Check(peeked) ? retiredNamed(reader, peeked.role, peeked.name) : undefined;
  const key = row && publicKeyFrom(row.key);
  const claims = key && unseal(key, 'caller', text);
  return check.Check(claims) ? claims : undefined;
}
