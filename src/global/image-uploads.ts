/**
 * Images on their way in: uploads below `<images>/.uploads/`, one folder each, and the files that are whole, `<images>/<sha256>`. What is known
 * of an upload is a small file that is replaced after each chunk, so a process may die anywhere and the next one goes on. Only bytes of the
 * right digest ever get the digest's name.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fail, invalid } from '../contract/errors.ts';
import type { FileSource } from '../http/reply.ts';

const Upload = Type.Object({
  id: Type.Integer({ minimum: 0 }),
  /** The boot resource that it becomes a version of. */
  resource: Type.Integer({ minimum: 0 }),
  name: Type.String(),
  architecture: Type.String(),
  title: Type.Optional(Type.String()),
  base_image: Type.Optional(Type.String()),
  filetype: Type.String(),
  version: Type.String(),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  size: Type.Integer({ minimum: 1 }),
  /** Bytes that are safely here. */
  received: Type.Integer({ minimum: 0 }),
  /** It was in the catalogue once: whoever asks again is told so. */
  done: Type.Boolean(),
});

/** One file of an image that is being uploaded. */
export type Upload = Static<typeof Upload>;

const isUpload = Compile(Upload);

export interface UploadStore {
  /** The file of this digest; undefined when it is not here, or is no digest. */
  open(sha256: string): Promise<FileSource | undefined>;
  /** Uploads that were begun in the last day, oldest first. */
  list(): Promise<Upload[]>;
  find(id: number): Promise<Upload | undefined>;
  /** Make room for one. @throws Failure `too_many`, `bad_request` when there is no room. */
  begin(upload: Upload): Promise<void>;
  /**
   * Write a chunk at `at` (left out: behind what is here). What was written before may be written again.
   * @throws Failure `bad_request` for a gap or too much, `invalid` when the whole does not have its digest: it is thrown away then.
   * @returns the upload; with its last byte the file is under its digest.
   */
  append(id: number, chunk: Buffer, at?: number): Promise<Upload>;
  /** It is in the catalogue. */
  finish(id: number): Promise<void>;
  /** Remove a file that nothing names any more. */
  remove(sha256: string): Promise<void>;
}

export interface UploadStoreOptions {
  /** The image folder. */
  readonly folder: string;
  /** Uploads at once; ones that stood still for a day are forgotten. */
  readonly most?: number;
  /** ms since 1970; for tests. */
  readonly now?: () => number;
}

const dayMs = 86_400_000;
/** Left free on the disk of the image folder, in bytes. */
const spare = 256 << 20;

export function openUploadStore({ folder, most = 16, now = Date.now }: UploadStoreOptions): UploadStore {
  const uploads = join(folder, '.uploads');
  const homeOf = (id: number): string => join(uploads, String(id));
  /** Digests of what this process has written itself, so that a whole image need not be read once more at its end. */
  const hashes = new Map<number, { readonly hash: Hash; bytes: number }>();
  const turns = new Map<number, Promise<unknown>>();

  /** One chunk of an upload after the other. */
  const inTurn = <T>(id: number, work: () => Promise<T>): Promise<T> => {
    const mine = (turns.get(id) ?? Promise.resolve()).then(work, work);
    turns.set(id, mine);
    const leave = () => void (turns.get(id) === mine && turns.delete(id));
    mine.then(leave, leave);
    return mine;
  };

  const find = async (id: number): Promise<Upload | undefined> => {
    const text = await readFile(join(homeOf(id), 'upload.json'), 'utf8').catch(() => '');
    try {
      const value: unknown = JSON.parse(text);
      return isUpload.Check(value) && value.id === id ? value : undefined;
    } catch {
      return undefined;
    }
  };

  const note = async (upload: Upload): Promise<void> => {
    const path = join(homeOf(upload.id), 'upload.json');
    await writeFile(`${path}.new`, JSON.stringify(upload), { flush: true });
    await rename(`${path}.new`, path);
  };

  const drop = async (id: number): Promise<void> => {
    hashes.delete(id);
    await rm(homeOf(id), { recursive: true, force: true });
  };

  const list = async (): Promise<Upload[]> => {
    const names = (await readdir(uploads).catch(() => [])).filter((name) => /^\d{1,16}$/.test(name));
    const found = await Promise.all(names.map((name) => find(Number(name))));
    return found.filter((upload) => upload !== undefined).toSorted((a, b) => a.id - b.id);
  };

  const forgetOld = async (): Promise<void> => {
    for (const name of await readdir(uploads).catch(() => [])) {
      const age = now() - (await stat(join(uploads, name)).then(({ mtimeMs }) => mtimeMs, now));
      if (age > dayMs) await rm(join(uploads, name), { recursive: true, force: true });
    }
  };

  /** The digest of the whole file, from memory where this process has seen all of it. */
  const digestOf = async (upload: Upload): Promise<string> => {
    const seen = hashes.get(upload.id);
    if (seen?.bytes === upload.size) return seen.hash.copy().digest('hex');
    const hash = createHash('sha256');
    for await (const part of createReadStream(join(homeOf(upload.id), 'data'), { highWaterMark: 1 << 20 })) hash.update(part as Buffer);
    return hash.digest('hex');
  };

  const write = async (upload: Upload, chunk: Buffer, at: number): Promise<Upload> => {
    const file = await open(join(homeOf(upload.id), 'data'), 'r+').catch(() => open(join(homeOf(upload.id), 'data'), 'w+'));
    try {
      await file.write(chunk, 0, chunk.length, at);
      // What a process that died had written beyond what it noted.
      await file.truncate(Math.max(upload.received, at + chunk.length));
      await file.datasync();
    } finally {
      await file.close();
    }
    const seen = hashes.get(upload.id) ?? { hash: createHash('sha256'), bytes: 0 };
    if (seen.bytes === at) {
      seen.hash.update(chunk);
      seen.bytes += chunk.length;
      hashes.set(upload.id, seen);
    } else hashes.delete(upload.id);
    const written = { ...upload, received: Math.max(upload.received, at + chunk.length) };
    await note(written);
    return written;
  };

  /** Give the whole file its name. */
  const complete = async (upload: Upload): Promise<void> => {
    const data = join(homeOf(upload.id), 'data');
    if (await openFile(folder, upload.sha256)) return rm(data, { force: true });
    if ((await digestOf(upload)) !== upload.sha256) {
      await drop(upload.id);
      throw invalid({ sha256: ['Saved content does not match given SHA256 value. Begin the upload again.'] });
    }
    await rename(data, join(folder, upload.sha256));
    hashes.delete(upload.id);
  };

  return {
    open: (sha256) => openFile(folder, sha256),
    list,
    find,
    begin: async (upload) => {
      await mkdir(uploads, { recursive: true });
      await forgetOld();
      const begun = (await list()).filter((one) => !one.done);
      if (begun.length >= most) throw fail('too_many', { what: 'uploads', limit: most });
      const { bavail, bsize } = await statfs(folder);
      const promised = begun.reduce((sum, one) => sum + one.size - one.received, upload.size);
      if (bavail * bsize < promised + spare) {
        throw fail('bad_request', { reason: `There is no room for ${upload.size} bytes: ${bavail * bsize} are free for images.` });
      }
      await mkdir(homeOf(upload.id));
      await note(upload);
    },
    append: (id, chunk, given) =>
      inTurn(id, async () => {
        const upload = await find(id);
        if (!upload) throw fail('not_found', { what: 'BootResourceFile' });
        if (upload.done) return upload;
        const at = given ?? upload.received;
        if (at > upload.received) throw fail('bad_request', { reason: `The next byte is ${upload.received}, not ${at}.` });
        if (at + chunk.length > upload.size) {
          throw fail('bad_request', { reason: `Too much data: ${at + chunk.length} bytes of ${upload.size}.` });
        }
        const isNew = at + chunk.length > upload.received;
        const written = isNew ? await write(upload, chunk, at).catch(explainFull) : upload;
        if (written.received === written.size) await complete(written);
        return written;
      }),
    finish: (id) =>
      inTurn(id, async () => {
        const upload = await find(id);
        if (upload) await note({ ...upload, done: true });
      }),
    remove: async (sha256) => {
      if (/^[0-9a-f]{64}$/.test(sha256)) await rm(join(folder, sha256), { force: true });
    },
  };
}

/** A full disk is for the operator to know, and for the caller to wait out. */
function explainFull(error: unknown): never {
  if ((error as { code?: unknown }).code === 'ENOSPC') throw fail('bad_request', { reason: 'The disk of the image folder is full.' });
  throw error;
}

async function openFile(folder: string, sha256: string): Promise<FileSource | undefined> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  const path = join(folder, sha256);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const openAt = (start: number, end: number) => createReadStream(path, { start, end, highWaterMark: 256 * 1024 });
  return { size: found.size, open: openAt, etag: `"${sha256}"` };
}
