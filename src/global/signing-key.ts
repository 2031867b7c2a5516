/**
 * The Ed25519 key of a hub, front or cell: who it is to the others. It lives in the data folder, 0600, outside PostgreSQL, and never
 * leaves it. On the wire a public key is its 32 raw bytes in base64url (43 characters).
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public key as it is written on the wire. */
  readonly text: string;
}

/** A new key, nowhere stored. */
export function generateSigningKey(): SigningKey {
  return signingKeyOf(generateKeyPairSync('ed25519').privateKey);
}

/**
 * The key kept in `file`; made and stored (0600, never overwriting another's) when there is none.
 * @throws Error when the file holds no Ed25519 private key.
 */
export async function loadSigningKey(file: string): Promise<SigningKey> {
  const found = await readKey(file);
  if (found) return found;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = generateSigningKey();
  const draft = `${file}.${process.pid}.${fresh.text.slice(0, 8)}`;
  await writeFile(draft, fresh.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  try {
    // A hard link fails when somebody else was first: two starters end up with the same key.
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const stored = await readKey(file);
  if (!stored) throw new Error(`${file} vanished while it was being written`);
  await chmod(file, 0o600);
  return stored;
}

/** Put another content (0600) into a file: written beside it, synced, renamed, the folder synced. Whole and lasting, or the one before. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  const handle = await open(draft, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  const folder = await open(dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}

async function readKey(file: string): Promise<SigningKey | undefined> {
  let pem: string;
  try {
    pem = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    throw new Error(`${file} holds no private key; move it away to get a new one, but everything that pinned the old one must join again`);
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error(`${file} holds a ${privateKey.asymmetricKeyType} key, not Ed25519`);
  return signingKeyOf(privateKey);
}

/** The key pair of a private key. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, text: publicKeyText(publicKey) };
}

/** The 32 raw bytes in base64url. */
export function publicKeyText(key: KeyObject): string {
  return String(key.export({ format: 'jwk' }).x);
}

/** Reads {@link publicKeyText}; undefined when it is no Ed25519 key. */
export function publicKeyFrom(text: string): KeyObject | undefined {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return undefined;
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** SPKI in base64: how keys are shown to programs that are not ours yet. */
export function spkiOf(keyText: string): string {
  const key = publicKeyFrom(keyText);
  if (!key) throw new TypeError('not an Ed25519 public key');
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** Reads {@link spkiOf}; undefined when it is no Ed25519 key. */
export function keyTextFromSpki(spki: string): string | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), type: 'spki', format: 'der' });
    return key.asymmetricKeyType === 'ed25519' ? publicKeyText(key) : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256 of the public key's SPKI, 64 hex digits: what an operator compares, and what pins TLS at joining. */
export function fingerprintOf(keyText: string): string {
  return createHash('sha256')
    .update(Buffer.from(spkiOf(keyText), 'base64'))
    .digest('hex');
}
