/**
 * A new key of the hub, announced by the old one and the new one together: `base64url(JSON).signature of the old.signature of the new`.
 * Whoever trusts the old key may follow to the new one; one signature alone leads nowhere. Announcements prove themselves, so they may
 * come from anybody.
 */
import { sign, verify } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { publicKeyFrom, type SigningKey } from './signing-key.ts';

const keyText = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

const Rotation = Type.Object({
  /** Public keys, as on the wire. */
  from: keyText,
  to: keyText,
  /** When, in seconds since 1970. */
  at: Type.Integer({ minimum: 0 }),
});

export type Rotation = Static<typeof Rotation>;

const check = Compile(Rotation);
const shape = /^([A-Za-z0-9_-]{1,1000})\.([A-Za-z0-9_-]{86})\.([A-Za-z0-9_-]{86})$/;
/** More than anybody rotates; a chain that is longer is a mistake or an attack. */
const mostRotations = 1_000;

const signedBytes = (payload: string): Buffer => Buffer.from(`muster rotation\n${payload}`, 'utf8');

/** Announce that `to` follows `from`. `now`: ms since 1970. */
export function makeRotation(from: SigningKey, to: SigningKey, now: number): string {
  const claims: Rotation = { from: from.text, to: to.text, at: Math.floor(now / 1000) };
  const payload = Buffer.from(JSON.stringify(claims), 'utf8').toString('base64url');
  const signatures = [from, to].map((key) => sign(null, signedBytes(payload), key.privateKey).toString('base64url'));
  return [payload, ...signatures].join('.');
}

interface Announced {
  readonly rotation: Rotation;
  /** Asked only of what is on the way: a stranger may send a thousand. */
  readonly isSignedByBoth: () => boolean;
}

function parse(text: string): Announced | undefined {
  const [, payload = '', byOld = '', byNew = ''] = shape.exec(text) ?? [];
  let rotation: unknown;
  try {
    rotation = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!check.Check(rotation)) return undefined;
  const fits = (key: string, signature: string): boolean => {
    const known = publicKeyFrom(key);
    return known !== undefined && verify(null, signedBytes(payload), known, Buffer.from(signature, 'base64url'));
  };
  return { rotation, isSignedByBoth: () => fits(rotation.from, byOld) && fits(rotation.to, byNew) };
}

/** An announcement that both keys have signed; undefined for anything else. */
export function readRotation(text: string): Rotation | undefined {
  const announced = parse(text);
  return announced?.isSignedByBoth() ? announced.rotation : undefined;
}

export type ChainJudgement =
  /** These lead from the trusted key to another, in this order. */
  | { readonly verdict: 'follow'; readonly path: readonly string[]; readonly to: string }
  | { readonly verdict: 'nothing' }
  /** Somebody says that the trusted key was replaced, and one of the two keys has not signed that. Nothing of the chain counts. */
  | { readonly verdict: 'refuse'; readonly text: string };

/** Where does this list of announcements lead whoever trusts `key`? Pure. */
export function judgeRotations(texts: readonly string[], key: string): ChainJudgement {
  if (texts.length > mostRotations)
    return { verdict: 'refuse', text: `${texts.length} changes of the hub's key; the limit is ${mostRotations}` };
  const announced = texts.map((text) => [text, parse(text)] as const);
  const seen = new Set([key]);
  const path: string[] = [];
  for (let at = key; ;) {
    const [text, found] = announced.find(([, one]) => one?.rotation.from === at) ?? [];
    if (text === undefined || found === undefined) return path.length === 0 ? { verdict: 'nothing' } : { verdict: 'follow', path, to: at };
    if (!found.isSignedByBoth())
      return { verdict: 'refuse', text: "a change of the hub's key that only one of the two keys has signed, or none" };
    at = found.rotation.to;
    if (seen.has(at)) return { verdict: 'refuse', text: "changes of the hub's key that lead in a circle" };
    seen.add(at);
    path.push(text);
  }
}
