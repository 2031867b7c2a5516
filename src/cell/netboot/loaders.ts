/**
 * The loaders: the only files that TFTP serves, and all of `/boot/loader/`. Read into memory once at start, the same for every machine.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { grubImages, mkimageArguments, type GrubImage } from './grub.ts';

export interface Loader {
  readonly name: string;
  readonly bytes: Buffer;
  readonly sha256: string;
}
export type Loaders = ReadonlyMap<string, Loader>;

interface PackagedLoader {
  readonly name: string;
  readonly file: string;
  readonly debianPackage: string;
  readonly optional?: true;
}

const packaged: readonly PackagedLoader[] = [
  { name: 'undionly.kpxe', file: '/usr/lib/ipxe/undionly.kpxe', debianPackage: 'ipxe' },
  { name: 'snponly.efi', file: '/usr/lib/ipxe/snponly.efi', debianPackage: 'ipxe' },
  // Debian 12 has none for arm64; later releases do.
  { name: 'snponly-arm64.efi', file: '/usr/lib/ipxe/snponly-arm64.efi', debianPackage: 'ipxe', optional: true },
];

/** The Debian packages that {@link readLoaders} needs. */
export const loaderPackages: readonly string[] = ['ipxe', 'grub-common', ...new Set(grubImages.map((image) => image.debianPackage))];

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function missing(what: string, debianPackage: string, cause: unknown): Error {
  return new Error(`${what} is not there: it comes with the Debian package ${debianPackage}. Run: apt-get install ${debianPackage}`, {
    cause,
  });
}

async function readPackaged(root: string, loader: PackagedLoader): Promise<Buffer | undefined> {
  try {
    return await readFile(join(root, loader.file));
  } catch (error) {
    if (isMissing(error) && loader.optional) return undefined;
    throw isMissing(error) ? missing(`the boot loader ${loader.file}`, loader.debianPackage, error) : error;
  }
}

async function build(root: string, folder: string, image: GrubImage): Promise<Buffer> {
  const modules = join(root, '/usr/lib/grub');
  const config = join(folder, `${image.name}.cfg`);
  const output = join(folder, image.name);
  await writeFile(config, `${image.commands.join('\n')}\n`);
  const head = image.head
    ? await readFile(join(modules, image.format, image.head)).catch((error: unknown) => {
        throw isMissing(error) ? missing(`GRUB's ${image.format}/${image.head}`, image.debianPackage, error) : error;
      })
    : Buffer.alloc(0);
  await readFile(join(modules, image.format, 'moddep.lst')).catch((error: unknown) => {
    throw isMissing(error) ? missing(`GRUB for ${image.format}`, image.debianPackage, error) : error;
  });
  try {
    await promisify(execFile)('grub-mkimage', mkimageArguments(image, modules, config, output));
  } catch (error) {
    throw isMissing(error) ? missing('grub-mkimage', 'grub-common', error) : error;
  }
  return Buffer.concat([head, await readFile(output)]);
}

/**
 * Reads and builds the whole table. `root` stands before every path (tests).
 * @throws Error that names the missing file and the Debian package it comes with.
 */
export async function readLoaders(root = '/'): Promise<Loaders> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-loaders-'));
  try {
    const found = await Promise.all([
      ...packaged.map(async (loader) => [loader.name, await readPackaged(root, loader)] as const),
      ...grubImages.map(async (image) => [image.name, await build(root, folder, image)] as const),
    ]);
    const loaders = new Map<string, Loader>();
    for (const [name, bytes] of found) {
      if (bytes) loaders.set(name, { name, bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
    }
    return loaders;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What TFTP serves of it. */
export function tftpFiles(loaders: Loaders): ReadonlyMap<string, Uint8Array> {
  return new Map([...loaders.values()].map((loader) => [loader.name, loader.bytes]));
}
