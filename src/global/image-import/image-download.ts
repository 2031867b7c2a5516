/**
 * One file of a boot source into the image folder. What is on its way is `<images>/.importing/<sha256>`, which the next import goes on with;
 * only bytes of the right digest ever get the digest's name.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { StreamTrouble } from '../simplestreams/stream-trouble.ts';
import type { StreamFile } from '../simplestreams/stream-products.ts';
import type { StreamSite } from './stream-site.ts';

/** Left free on the disk of the image folder, in bytes. */
const spare = 256 << 20;

export interface Download {
  /** The image folder. */
  readonly folder: string;
  readonly site: Pick<StreamSite, 'bytes'>;
  readonly file: StreamFile;
  readonly signal: AbortSignal;
}

/** Is the whole file here already? */
export async function isHere(folder: string, { sha256, size }: Pick<StreamFile, 'sha256' | 'size'>): Promise<boolean> {
  const found = await stat(join(folder, sha256)).catch(() => undefined);
  return found?.isFile() === true && found.size === size;
}

/** Have the file in the folder under its digest. @throws StreamTrouble */
export async function download({ folder, site, file, signal }: Download): Promise<void> {
  if (await isHere(folder, file)) return;
  await mkdir(join(folder, '.importing'), { recursive: true });
  const partial = join(folder, '.importing', file.sha256);
  const begun = await stat(partial).then(
    ({ size }) => size,
    () => 0,
  );
  if (begun > file.size) await rm(partial, { force: true });
  const had = begun > file.size ? 0 : begun;
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < file.size - had + spare)
    throw new StreamTrouble(`${file.path}: there is no room for its ${file.size} bytes, ${bavail * bsize} are free for images`);
  const digest = await fetchRest({ partial, had, site, file, signal }).catch(explainFull);
  if (digest !== file.sha256) {
    await rm(partial, { force: true });
    // What was here of it may be what is wrong: a power cut leaves such files.
    if (had > 0) return download({ folder, site, file, signal });
    throw new StreamTrouble(`${file.path}: its bytes do not have the digest that was promised`);
  }
  await rename(partial, join(folder, file.sha256));
}

interface Rest extends Omit<Download, 'folder'> {
  readonly partial: string;
  /** Bytes that are here. */
  readonly had: number;
}

/** Fetch what is missing of the file. @returns the digest of the whole. */
async function fetchRest({ partial, had, site, file, signal }: Rest): Promise<string> {
  let hash: Hash = createHash('sha256');
  if (had > 0) for await (const part of createReadStream(partial, { highWaterMark: 1 << 20, signal })) hash.update(part as Buffer);
  if (had === file.size) return hash.digest('hex');
  const { start, chunks } = await site.bytes(file.path, had, signal);
  const target = await open(partial, 'a');
  try {
    let size = had;
    if (start !== had) {
      await target.truncate(0);
      hash = createHash('sha256');
      size = 0;
    }
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      size += chunk.length;
      if (size > file.size) {
        await target.truncate(0);
        throw new StreamTrouble(`${file.path}: it has more than the ${file.size} bytes that were promised`);
      }
      await target.appendFile(chunk);
      hash.update(chunk);
    }
    if (size < file.size) throw new StreamTrouble(`${file.path}: it ended after ${size} of ${file.size} bytes`);
    await target.datasync();
  } finally {
    await target.close();
  }
  return hash.digest('hex');
}

function explainFull(error: unknown): never {
  if ((error as { code?: unknown }).code === 'ENOSPC') throw new StreamTrouble('the disk of the image folder is full', { cause: error });
  throw error;
}

/** Forget what is on its way and not wanted any more. */
export async function forgetOthers(folder: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(join(folder, '.importing')).catch(() => []))
    if (!wanted.has(name)) await rm(join(folder, '.importing', name), { recursive: true, force: true });
}
