/**
 * Password verifiers: scrypt with its parameters in the text, `scrypt$N$r$p$salt$hash`. They stay with the authority (hub or standalone
 * cell) and are never replicated: a stolen cell holds nothing to guess passwords from.
 */
import { randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto';

/** N = 2¹⁵, r = 8: 32 MiB and about 0.1 s a guess. */
const cost = { N: 32_768, r: 8, p: 1 } as const;
const hashBytes = 32;

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

function derive(password: string, salt: Buffer, { N, r, p }: Cost, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const maxmem = 256 * N * r;
  scrypt(password.normalize('NFC'), salt, length, { N, r, p, maxmem }, (error, key) => (error ? reject(error) : resolve(key)));
  return promise;
}

/** The verifier to store for a password. */
export async function makeVerifier(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, cost, hashBytes);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Does the password fit? Without a verifier (unknown user) the same time is spent and the answer is no, so nobody learns which names exist.
 */
export async function checkPassword(password: string, verifier: string | undefined): Promise<boolean> {
  const stored = verifier === undefined ? undefined : parseVerifier(verifier);
  const salt = stored?.salt ?? Buffer.alloc(16);
  const hash = await derive(password, salt, stored ?? cost, stored?.hash.length ?? hashBytes);
  return stored !== undefined && timingSafeEqual(hash, stored.hash);
}

/** Is this text a verifier that {@link checkPassword} can read? */
export function isVerifier(text: string): boolean {
  return parseVerifier(text) !== undefined;
}

/** The hash must be whole: scrypt's output for fewer bytes is a prefix of it, so half a verifier would fit too. */
function parseVerifier(text: string): (Cost & { readonly salt: Buffer; readonly hash: Buffer }) | undefined {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w-]+)\$([\w-]{43})$/.exec(text);
  if (!match) return undefined;
  const [, N, r, p, salt, hash] = match;
  return {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt ?? '', 'base64url'),
    hash: Buffer.from(hash ?? '', 'base64url'),
  };
}

const letters = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** `length` characters that people can read aloud, 5.8 bits each. */
export function randomSecret(length: number): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
