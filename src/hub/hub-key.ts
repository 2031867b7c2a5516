/**
 * The key of the hub: one, the same for all of its processes. A change of it is announced by the old and the new key together, committed to
 * the database with the new private key sealed under the old one, and taken over by every process as soon as it hears of it. Announcements
 * are kept for good, in the database and in the data folder: the database may go back in time, and a member may be away for long.
 */
import { createCipheriv, createDecipheriv, createPrivateKey, hkdfSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../contract/errors.ts';
import { judgeRotations, makeRotation, readRotation } from '../global/key-rotation.ts';
import { replacedKeys, type SessionKey } from '../global/session.ts';
import { generateSigningKey, loadSigningKey, replaceFile, signingKeyOf, type SigningKey } from '../global/signing-key.ts';
import type { Database } from '../postgres/database.ts';
import { dropSealedKeys, putRotation, readRotations } from './db/key-rotation-store.ts';
import type { HubTables } from './db/hub-tables.ts';

export interface HubKey {
  readonly present: () => SigningKey;
  /** Announcements, oldest first, as `GET /replica/keys/` serves them. */
  announcements(): readonly string[];
  readonly sessionKeys: () => readonly SessionKey[];
  /** Change it. Every process of the hub follows. @throws Failure `conflict` when another process did so at the same moment. */
  rotate(by: string): Promise<void>;
  /** Take over what another process has announced. @throws Error when this process cannot have the new key any more. */
  refresh(): Promise<void>;
  /** After `refresh`: drop the sealed private keys of a day ago that this folder has moved past. @throws what `refresh` does. */
  forget(): Promise<void>;
  /** Aborted when the key changes; another one then. */
  changed(): AbortSignal;
  /** Called after every change. */
  onChange(listener: () => void): void;
}

const keyFile = 'signing-key.pem';
const announcementFile = 'key-rotations';

/** AES-256-GCM under a key drawn from the old private key: who holds that one may have the next. */
function sealingKey(old: SigningKey): Buffer {
  const { d } = old.privateKey.export({ format: 'jwk' });
  return Buffer.from(hkdfSync('sha256', Buffer.from(String(d), 'base64url'), '', 'muster hub key rotation', 32));
}

function sealKey(old: SigningKey, next: SigningKey): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(old), iv);
  const text = Buffer.concat([cipher.update(next.privateKey.export({ format: 'der', type: 'pkcs8' })), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64');
}

function openKey(old: SigningKey, sealed: string): SigningKey {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(old), bytes.subarray(0, 12)).setAuthTag(bytes.subarray(12, 28));
  const key = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
  return signingKeyOf(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}

async function readAnnouncements(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, announcementFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').filter((line) => readRotation(line) !== undefined);
}

/** Oldest first: sorted by time, which the announcements say. */
function inOrder(announcements: Iterable<string>): string[] {
  return [...new Set(announcements)].sort((a, b) => (readRotation(a)?.at ?? 0) - (readRotation(b)?.at ?? 0));
}

const replacedOf = (announcements: readonly string[]): SessionKey[] =>
  replacedKeys(announcements.flatMap((text) => readRotation(text) ?? []));

/** @throws Error when the key file is damaged, or of a time that is over and the present key is out of reach. */
export async function openHubKey(folder: string, database: Database<HubTables>): Promise<HubKey> {
  let key = await loadSigningKey(join(folder, keyFile));
  let announcements = inOrder(await readAnnouncements(folder));
  let replaced = replacedOf(announcements);
  let changing = new AbortController();
  const listeners: (() => void)[] = [];

  const remember = async (found: readonly string[]): Promise<void> => {
    const merged = inOrder([...announcements, ...found]);
    if (merged.length === announcements.length) return;
    await replaceFile(join(folder, announcementFile), `${merged.join('\n')}\n`);
    announcements = merged;
    replaced = replacedOf(merged);
  };
  /** Announcement first, then the key: whoever has the new key can always show how it came to be. */
  const takeOver = async (next: SigningKey): Promise<void> => {
    await replaceFile(join(folder, keyFile), next.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    key = next;
    changing.abort();
    changing = new AbortController();
    for (const listener of listeners) listener();
  };
  const refreshNow = async (): Promise<void> => {
    const stored = await readRotations(database.db);
    await remember(stored.map((one) => one.announcement));
    const judgement = judgeRotations(announcements, key.text);
    if (judgement.verdict !== 'follow') return;
    for (const text of judgement.path) {
      const sealed = stored.find((one) => one.announcement === text)?.sealedKey;
      if (sealed === null || sealed === undefined)
        throw new Error(
          `The hub's key was changed while this process was away. Copy ${keyFile} from the data folder of another process of the hub.`,
        );
      const next = openKey(key, sealed);
      if (next.text !== readRotation(text)?.to) throw new Error("The hub's new key in the database is not the one that was announced.");
      await takeOver(next);
    }
  };
  // One at a time: every write of anything wakes this too.
  let last: Promise<void> = Promise.resolve();
  const refresh = (): Promise<void> => (last = last.catch(() => undefined).then(refreshNow));
  // A database that was put back to before a change does not know it; the other processes read it there.
  for (const text of announcements) {
    const rotation = readRotation(text)!;
    await putRotation(database.db, { fromKey: rotation.from, toKey: rotation.to, announcement: text, sealedKey: null }, 'restored');
  }
  /** What lies behind this folder's key, which is on disk. A row beyond it may hold the only copy of the next key. */
  const behind = (): string[] => {
    const path: string[] = [];
    for (let to: string | undefined = key.text; to !== undefined;) {
      const text = announcements.find((one) => !path.includes(one) && readRotation(one)?.to === to);
      to = text === undefined ? undefined : readRotation(text)?.from;
      if (text !== undefined) path.push(text);
    }
    return path;
  };
  const forget = async (): Promise<void> => {
    await refresh();
    await dropSealedKeys(database.db, behind());
  };
  await forget();
  return {
    present: () => key,
    announcements: () => announcements,
    sessionKeys: () => [{ key: key.publicKey }, ...replaced],
    rotate: async (by) => {
      await refresh();
      const next = generateSigningKey();
      const announcement = makeRotation(key, next, Date.now());
      const one = { fromKey: key.text, toKey: next.text, announcement, sealedKey: sealKey(key, next) };
      if (!(await putRotation(database.db, one, by))) throw fail('conflict', { what: "the hub's key" });
      await refresh();
    },
    refresh,
    forget,
    changed: () => changing.signal,
    onChange: (listener) => void listeners.push(listener),
  };
}
