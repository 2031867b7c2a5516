/**
 * API keys as MAAS writes them: `consumer:token:secret` (18, 18 and 32 characters). Only the SHA-256 of the secret is kept; the secret has
 * 185 bits of entropy, so a slow hash would add nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { randomSecret } from './password.ts';

export interface ApiKey {
  readonly consumer: string;
  readonly token: string;
  readonly secret: string;
}

/** A new key; what is stored of it is {@link hashSecret} of its secret. */
export function mintApiKey(): ApiKey {
  return { consumer: randomSecret(18), token: randomSecret(18), secret: randomSecret(32) };
}

export function formatApiKey({ consumer, token, secret }: ApiKey): string {
  return `${consumer}:${token}:${secret}`;
}

/** How a stored key is listed: its secret was shown once and is not known any more. */
export function maskedApiKey(consumer: string, token: string): string {
  return `${consumer}:${token}:${'*'.repeat(32)}`;
}

/** SHA-256 in hex. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}

/** Compares in constant time: is this the secret of that hash? */
export function secretFits(secret: string, hash: string): boolean {
  const given = Buffer.from(hashSecret(secret), 'hex');
  const stored = Buffer.from(hash, 'hex');
  return given.length === stored.length && timingSafeEqual(given, stored);
}
