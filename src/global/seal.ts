/**
 * A seal: claims and an Ed25519 signature in one line of text, `base64url(JSON).base64url(signature)`. Sessions, assertions, callers of the
 * replica feed and batches of it are all seals. What is signed begins with the use, so one kind never passes for another.
 */
import { sign, verify, type KeyObject } from 'node:crypto';

export type SealUse = 'session' | 'assertion' | 'caller' | 'client' | 'batch';

function signedBytes(use: SealUse, payload: string): Buffer {
  return Buffer.from(`muster ${use}\n${payload}`, 'utf8');
}

/** Seal `claims` (anything JSON can say) for one use with a private Ed25519 key. */
export function seal(key: KeyObject, use: SealUse, claims: unknown): string {
  const payload = Buffer.from(JSON.stringify(claims), 'utf8').toString('base64url');
  return `${payload}.${sign(null, signedBytes(use, payload), key).toString('base64url')}`;
}

/**
 * The claims of a seal if `key` (public) signed it for this use; undefined when it did not, or the text is no seal. Claims are whatever
 * JSON the signer wrote: the caller checks their shape.
 */
export function unseal(key: KeyObject, use: SealUse, text: string): unknown {
  const match = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})$/.exec(text);
  const payload = match?.[1];
  const signature = match?.[2];
  if (payload === undefined || signature === undefined) return undefined;
  if (!verify(null, signedBytes(use, payload), key, Buffer.from(signature, 'base64url'))) return undefined;
  return parsePayload(payload);
}

/**
 * The claims without looking at the signature: only to find out which key to ask for. Never act on them.
 */
export function peekSeal(text: string): unknown {
  const payload = /^([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]{86}$/.exec(text)?.[1];
  return payload === undefined ? undefined : parsePayload(payload);
}

function parsePayload(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
