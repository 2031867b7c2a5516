/**
 * The cell's `secret.key`: 32 random bytes in a file of mode 0600 outside PostgreSQL. It seals BMC secrets and derives machines' credentials,
 * so that a repeated call gets the same answer and nothing secret is stored. A database that was sealed with another key is refused.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface SecretKey {
  /** AES-256-GCM: 12 bytes nonce, 16 bytes tag, ciphertext. */
  seal(plain: Buffer): Buffer;
  /** @throws WrongSecretKey when this key did not seal it, or it was changed. */
  open(sealed: Buffer): Buffer;
  /** `length` characters (base64url) derived from the parts; the same parts give the same text. */
  derive(length: number, ...parts: readonly string[]): string;
  /** What the database keeps to recognise the key: says nothing about it. */
  readonly fingerprint: string;
}

export class WrongSecretKey extends Error {
  override readonly name = 'WrongSecretKey';
}

/**
 * Read the key in this folder, or make it when there is none.
 * @throws WrongSecretKey when the file is readable by others or not 32 bytes.
 */
export async function readSecretKey(folder: string): Promise<SecretKey> {
  const path = join(folder, 'secret.key');
  const found = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found) {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new WrongSecretKey(`${path} can be read by others: run chmod 600 ${path}`);
    return makeSecretKey(found, path);
  }
  // Under a name of its own and then linked: a start that was killed in between leaves nothing in the way, and of two first starts one wins.
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  await file.writeFile(randomBytes(32));
  await file.sync();
  await file.close();
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  const parent = await open(dirname(path));
  await parent.sync();
  await parent.close();
  return makeSecretKey(await readFile(path), path);
}

/** @throws WrongSecretKey unless `bytes` are 32. */
export function makeSecretKey(bytes: Buffer, path = 'secret.key'): SecretKey {
  if (bytes.byteLength !== 32)
    throw new WrongSecretKey(`${path} has ${bytes.byteLength} bytes; a secret key has 32. Restore it from the backup.`);
  const derived = (use: string) => createHmac('sha256', bytes).update(`muster ${use}`).digest();
  const sealing = derived('seal');
  const deriving = derived('derive');
  return {
    fingerprint: createHash('sha256').update(derived('fingerprint')).digest('hex').slice(0, 32),
    seal(plain) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce);
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(sealed) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', sealing, sealed.subarray(0, 12), { authTagLength: 16 });
        decipher.setAuthTag(sealed.subarray(12, 28));
        return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
      } catch {
        throw new WrongSecretKey('a secret in the database cannot be opened with this secret.key');
      }
    },
    derive(length, ...parts) {
      // Lengths are written too, so that ('ab', 'c') and ('a', 'bc') differ.
      const text = parts.map((part) => `${part.length}:${part}`).join('');
      let out = '';
      for (let block = 0; out.length < length; block += 1)
        out += createHmac('sha256', deriving).update(`${block}\n${text}`).digest('base64url');
      return out.replace(/[-_]/g, 'x').slice(0, length);
    },
  };
}
