/**
 * The catalogue of built images: content-addressed files in `folder/<sha256>`, one manifest an image and recipe in `folder/manifests/`.
 * A manifest is written last, by rename, so what it names is whole. Two builders of one image wait for each other.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const Manifest = Type.Object({
  name: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]*$' }),
  architecture: Type.String({ pattern: '^[a-z0-9]+$' }),
  /** Digest of the recipe: builder, its files and options; not of package versions. */
  recipe: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** Digest of recipe and package versions. */
  key: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  builtAt: Type.String(),
  packages: Type.Array(Type.Object({ name: Type.String(), version: Type.String() })),
  /** Words that users of the image need: paths of kernel and initrd in a tree, kernel version. */
  facts: Type.Record(Type.String(), Type.String()),
  files: Type.Array(
    Type.Object({
      ftype: Type.String(),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      size: Type.Integer({ minimum: 0 }),
    }),
    { minItems: 1 },
  ),
});
export type Manifest = Static<typeof Manifest>;
const manifestCheck = Compile(Manifest);

export interface BuiltFile {
  /** MAAS's names where there is one: boot-kernel, boot-initrd; root-tar.zst for a tree; local-efi for the loader of the local disk. */
  readonly ftype: string;
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
}

export interface BuiltImage extends Omit<Manifest, 'files'> {
  readonly files: readonly BuiltFile[];
}

/** Read a manifest; undefined when it is none. */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return manifestCheck.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Digest of anything JSON can say, independent of the order of keys. */
export function digestOf(value: unknown): string {
  const sorted = JSON.stringify(value, (_, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
  return createHash('sha256').update(sorted).digest('hex');
}

/** Every image whose files are all there with the right size, newest first. */
export async function listBuiltImages(folder: string): Promise<BuiltImage[]> {
  const found: BuiltImage[] = [];
  for (const name of await readdir(join(folder, 'manifests')).catch(() => [])) {
    const manifest = name.endsWith('.json')
      ? parseManifest(await readFile(join(folder, 'manifests', name), 'utf8').catch(() => ''))
      : undefined;
    const image = manifest && withPaths(folder, manifest);
    if (image && (await isWhole(image))) found.push(image);
  }
  return found.sort((a, b) => (a.builtAt < b.builtAt ? 1 : -1));
}

/** The newest image built by this recipe. */
export async function findBuiltImage(
  folder: string,
  wanted: { name: string; architecture: string; recipe: string; key?: string },
): Promise<BuiltImage | undefined> {
  return (await listBuiltImages(folder)).find(
    (image) =>
      image.name === wanted.name &&
      image.architecture === wanted.architecture &&
      image.recipe === wanted.recipe &&
      (!wanted.key || image.key === wanted.key),
  );
}

/** Put files into the catalogue (they are moved) and their manifest after them. */
export async function publishImage(
  folder: string,
  image: Omit<Manifest, 'files' | 'builtAt'>,
  files: readonly { readonly ftype: string; readonly path: string }[],
): Promise<BuiltImage> {
  const known: Manifest['files'] = [];
  for (const { ftype, path } of files) {
    const sha256 = await digestFile(path);
    const { size } = await stat(path);
    const handle = await open(path, 'r+');
    await handle.sync();
    await handle.close();
    await rename(path, join(folder, sha256));
    known.push({ ftype, sha256, size });
  }
  const manifest: Manifest = { ...image, builtAt: new Date().toISOString(), files: known };
  const path = join(folder, 'manifests', `${image.name}-${image.architecture}-${image.key.slice(0, 16)}.json`);
  await mkdir(join(folder, 'manifests'), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(manifest, null, 1)}\n`, { flush: true });
  await rename(`${path}.new`, path);
  return withPaths(folder, manifest);
}

/** sha256 of a file, in hex. */
export async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Run `build` as the only builder of `name` in `folder`, in a scratch folder that is removed at the end; waits for another builder, and
 * takes over from one that has died.
 */
export async function asOnlyBuilder<T>(
  folder: string,
  name: string,
  signal: AbortSignal | undefined,
  build: (scratch: string) => Promise<T>,
): Promise<T> {
  await mkdir(folder, { recursive: true });
  const lock = join(folder, `.${name}.lock`);
  while (!(await takeLock(lock))) {
    signal?.throwIfAborted();
    await sleep(500, undefined, signal ? { signal } : {});
  }
  const scratch = join(folder, `.${name}.building`);
  try {
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { recursive: true });
    return await build(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await rm(lock, { force: true });
  }
}

/** Whether the lock is ours now. It names its holder, and appears whole (by link), so a holder that has died can be told. */
async function takeLock(lock: string): Promise<boolean> {
  const own = `${lock}.${process.pid}`;
  const mine = `${process.pid} ${await startOf(process.pid)}`;
  await writeFile(own, mine);
  try {
    if (
      await link(own, lock).then(
        () => true,
        () => false,
      )
    )
      return true;
    const holder = await readFile(lock, 'utf8').catch(() => '');
    const [pid = '', start = ''] = holder.split(' ');
    if (holder === '' || (await startOf(Number(pid))) === start) return false;
    // The holder is dead. Of two that see this, the slower one may move the faster one's new lock away: then it is put back.
    await rename(lock, own);
    if ((await readFile(own, 'utf8')) !== holder) await link(own, lock);
    return false;
  } catch {
    return false;
  } finally {
    await rm(own, { force: true });
  }
}

/** When a process started, in ticks since boot (proc(5), field 22); empty when there is none: a number alone may be another process by now. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Killed and not collected yet is gone.
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function withPaths(folder: string, manifest: Manifest): BuiltImage {
  return { ...manifest, files: manifest.files.map((file) => ({ ...file, path: join(folder, file.sha256) })) };
}

async function isWhole(image: BuiltImage): Promise<boolean> {
  for (const file of image.files) {
    if ((await stat(file.path).catch(() => undefined))?.size !== file.size) return false;
  }
  return true;
}
