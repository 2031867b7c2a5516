/**
 * Builds the web page into dist/ui when what it is made of has changed: contents decide, never dates. The new page is built beside the old
 * one and takes its place in one step, so that a program that starts meanwhile finds one or the other.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep, showFailure } from './progress.mjs';

/** What the page is made of; src/http is its typed client. */
const sources = ['ui', 'src/contract', 'src/http/client.ts', 'src/http/oauth.ts', 'vite.config.ts', 'package-lock.json'];
const stampFile = 'muster-stamp.txt';

/** @param {string} path relative to `root` @param {string} root @returns {string[]} the files there, in an order that is always the same */
function filesIn(root, path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  return readdirSync(full)
    .toSorted()
    .flatMap((name) => filesIn(root, `${path}/${name}`))
    .filter((file) => !/\.test\.tsx?$/.test(file));
}

/**
 * A digest of everything that the page is made of: names and contents.
 * @param {string} root the checkout
 */
export function pageStamp(root) {
  const hash = createHash('sha256');
  for (const file of sources.flatMap((path) => filesIn(root, path))) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** @param {string} folder @returns {string | undefined} the stamp of the page that is built there */
function builtStamp(folder) {
  try {
    return existsSync(join(folder, 'index.html')) ? readFileSync(join(folder, stampFile), 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

/** What killed builds have left; a build takes seconds, so an hour is nobody's. @param {string} dist */
function sweep(dist) {
  for (const name of readdirSync(dist).filter((each) => each.startsWith('ui-'))) {
    if (Date.now() - statSync(join(dist, name)).mtimeMs > 3_600_000) rmSync(join(dist, name), { recursive: true, force: true });
  }
}

/**
 * Sees to it that dist/ui is the page of this checkout.
 * @param {string} root the checkout, with its node_modules
 * @returns {Promise<boolean>} false when it could not be built; it has been said why
 */
export async function preparePage(root) {
  const stamp = pageStamp(root);
  const dist = join(root, 'dist');
  const place = join(dist, 'ui');
  if (builtStamp(place) === stamp) return true;
  mkdirSync(dist, { recursive: true });
  sweep(dist);
  const fresh = join(dist, `ui-${randomUUID()}`);
  // Vite wants a Node that may be newer than the one that runs set-up; the locked one is there where it exists for the platform.
  const locked = join(root, 'node_modules/.bin/node');
  const result = await runStep({
    name: 'the web page',
    argv: [
      existsSync(locked) ? locked : process.execPath,
      'node_modules/vite/bin/vite.js',
      'build',
      '--outDir',
      fresh,
      '--logLevel',
      'warn',
    ],
    cwd: root,
    log: join(root, '.muster/setup/build-ui.log'),
    timeoutSeconds: 120,
  });
  if (!result.ok) {
    rmSync(fresh, { recursive: true, force: true });
    showFailure(result, 'The page is built from ui/ by: node_modules/.bin/vite build');
    return false;
  }
  writeFileSync(join(fresh, stampFile), stamp);
  const old = join(dist, `ui-${randomUUID()}`);
  try {
    if (existsSync(place)) renameSync(place, old);
    renameSync(fresh, place);
  } catch (error) {
    // Another set-up was as quick, and its page is the same one.
    if (builtStamp(place) !== stamp) throw error;
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
  return true;
}
