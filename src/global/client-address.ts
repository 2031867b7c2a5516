/**
 * Where a person signs in from. Behind a front every connection to the hub is the front's; so the front, known by its registered key, tells
 * the address in a seal of its own, good for one request and one minute. What anybody else says in that header counts for nothing.
 */
import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { CallRequest } from '../http/handler.ts';
import type { GlobalReader } from './document.ts';
import { peekSeal, seal, unseal } from './seal.ts';
import { publicKeyFrom } from './signing-key.ts';

export const clientHeader = 'muster-client';
const seconds = 60;
/** Clocks of two machines may differ by this much, in seconds. */
const skew = 30;

const ClientClaims = Type.Object({
  front: Type.String(),
  address: Type.String({ maxLength: 64 }),
  method: Type.String(),
  path: Type.String(),
  /** Seconds since 1970. */
  exp: Type.Integer(),
});

const check = Compile(ClientClaims);

type Request = Pick<CallRequest, 'headers' | 'address'>;

/** The peer; of a proxy on this very machine, the address that it has heard from (the last of `X-Forwarded-For`). */
export function nearestAddress({ headers, address }: Request): string {
  const forwarded = headers['x-forwarded-for'];
  const last = [forwarded ?? []].flat().join(',').split(',').at(-1)?.trim() ?? '';
  return /^(127\.|::1$)/.test(address) && /^[0-9a-fA-F.:]{2,45}$/.test(last) ? last : address;
}

/** Seal the client's address for one request to the hub. `now`: ms since 1970. */
export function sealClient(key: KeyObject, claims: Omit<Static<typeof ClientClaims>, 'exp'>, now: number): string {
  return seal(key, 'client', { ...claims, exp: Math.floor(now / 1000) + seconds });
}

/** The client of a request: as a registered front says, else the nearest address. `now`: ms since 1970. */
export function clientAddress(request: Request & Pick<CallRequest, 'method' | 'url'>, reader: GlobalReader, now: number): string {
  const text = request.headers[clientHeader];
  const peeked = typeof text === 'string' ? peekSeal(text) : undefined;
  const front = check.Check(peeked) ? reader.named('front', peeked.front) : undefined;
  const key = front && publicKeyFrom(front.key);
  const claims = key && unseal(key, 'client', String(text));
  const fits =
    check.Check(claims) &&
    claims.front === front?.name &&
    claims.method === request.method &&
    claims.path === request.url &&
    Math.abs(claims.exp - now / 1000) <= seconds + skew;
  return fits ? claims.address : nearestAddress(request);
}
