/** Texts of a boot source and who signed them: Debian's `gpgv` with the source's keyring judges, and only the signed text is believed. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BodyOf } from '../kinds.ts';
import { isClearsigned, signedLines, textOfClearsigned } from '../simplestreams/clearsign.ts';
import { keyringIn } from '../simplestreams/keyring.ts';
import { StreamTrouble } from '../simplestreams/stream-trouble.ts';

const run = promisify(execFile);
const mostMs = 20_000;
const largestKeyring = 4 << 20;

type Source = Pick<BodyOf<'boot_source'>, 'keyring_data' | 'keyring_filename'>;

/** The source's keyring, as `gpgv` reads it. @throws StreamTrouble */
export async function keyringOf({ keyring_data, keyring_filename }: Source): Promise<Buffer> {
  if (keyring_data !== '') return keyringIn(Buffer.from(keyring_data, 'base64'));
  if (keyring_filename === '')
    throw new StreamTrouble('it has no keyring, and unsigned sources were not allowed (skip_keyring_verification)');
  return keyringIn(await bytesOf(keyring_filename));
}

async function bytesOf(path: string): Promise<Buffer> {
  const unreadable = (): never => {
    throw new StreamTrouble('the file of its keyring cannot be read on the machine that imports');
  };
  const file = await open(path, 'r').catch(unreadable);
  try {
    const found = await file.stat();
    if (!found.isFile()) return unreadable();
    if (found.size > largestKeyring) throw new StreamTrouble(`the file of its keyring has more than ${largestKeyring} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The text of a message of which nobody asks who signed it. @throws StreamTrouble */
export function unverifiedText(message: string): string {
  return isClearsigned(message) ? textOfClearsigned(message) : message;
}

/** The text of a clearsigned message, if a key of the keyring signed it. @throws StreamTrouble */
export async function verifiedText(message: string, keyring: Buffer): Promise<string> {
  const text = textOfClearsigned(message);
  const folder = await mkdtemp(join(tmpdir(), 'muster-gpgv-'));
  try {
    const [keys, signed, shown] = ['keys', 'signed', 'shown'].map((name) => join(folder, name)) as [string, string, string];
    await writeFile(keys, keyring);
    await writeFile(signed, message);
    const { isDone, words } = await gpgv([
      '--homedir',
      folder,
      '--status-fd',
      '1',
      '--weak-digest',
      'SHA1',
      '--keyring',
      keys,
      '--output',
      shown,
      signed,
    ]);
    // Expired and revoked keys have words of their own, and one signature that is not good is one too many.
    const isGood = isDone && words.includes('GOODSIG') && words.includes('VALIDSIG') && !words.some((word) => refused.has(word));
    if (!isGood) throw new StreamTrouble(badSignature(words));
    // What is believed here is what gpgv has seen, to the letter.
    if (signedLines(await readFile(shown, 'utf8')) !== text) throw new StreamTrouble('its signed text can be read in two ways');
    return text;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const refused: ReadonlySet<string> = new Set(['BADSIG', 'ERRSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'NO_PUBKEY']);

function badSignature(words: readonly string[]): string {
  if (words.includes('BADSIG')) return 'its signature is wrong';
  if (words.includes('NO_PUBKEY')) return 'it is signed by a key that is not in its keyring';
  if (words.some((word) => /^(EXP|REV)/.test(word))) return 'it is signed by a key that has expired or was revoked';
  return 'its signature cannot be verified';
}

/** Whether gpgv ended well, and the words of its status lines; a signature that is not good is no error here. */
async function gpgv(argv: readonly string[]): Promise<{ readonly isDone: boolean; readonly words: readonly string[] }> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' };
  try {
    return { isDone: true, words: wordsOf((await run('gpgv', argv, { env, timeout: mostMs, maxBuffer: 1 << 20 })).stdout) };
  } catch (error) {
    const { code, stdout } = error as { readonly code?: unknown; readonly stdout?: unknown };
    if (code === 'ENOENT')
      throw new StreamTrouble('gpgv is not installed on the machine that imports: apt-get install gpgv', { cause: error });
    return { isDone: false, words: typeof stdout === 'string' ? wordsOf(stdout) : [] };
  }
}

const wordsOf = (status: string): string[] => status.split('\n').flatMap((line) => /^\[GNUPG:\] ([A-Z_]+)/.exec(line)?.[1] ?? []);
