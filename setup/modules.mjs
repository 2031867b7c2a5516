/** Keeps node_modules as package-lock.json says: `npm ci` only when the contents differ, never because of a date. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, runStep, showFailure } from './progress.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string | string[], cpu?: string | string[], optionalDependencies?: Record<string, string> }} LockedPackage */
/** @typedef {{ packages?: Record<string, LockedPackage> }} LockFile */

/** @param {string | string[] | undefined} allowed @param {string} own */
function fits(allowed, own) {
  const list = allowed === undefined ? [] : [allowed].flat();
  const denied = list.filter((name) => name.startsWith('!'));
  if (denied.includes(`!${own}`)) return false;
  return list.length === denied.length || list.includes(own);
}

/**
 * Why node_modules is not what the lock file says; empty when it is.
 * @param {LockFile | undefined} wanted package-lock.json
 * @param {LockFile | undefined} found node_modules/.package-lock.json, which npm writes last
 * @param {{ os: string, cpu: string }} platform
 * @param {(path: string) => boolean} exists whether a package's folder is there
 * @returns {string[]}
 */
export function staleReasons(wanted, found, platform, exists) {
  if (wanted?.packages === undefined) return ['package-lock.json cannot be read'];
  if (found?.packages === undefined) return ['nothing is installed'];
  const direct = wanted.packages['']?.optionalDependencies ?? {};
  const reasons = [];
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === '') continue;
    const installed = found.packages[path];
    if (installed === undefined) {
      // npm leaves out optional packages of other platforms; a direct one that fits this platform must be there.
      const here = fits(entry.os, platform.os) && fits(entry.cpu, platform.cpu);
      if (entry.optional === true && !(here && path.replace('node_modules/', '') in direct)) continue;
      reasons.push(`${path} is missing`);
    } else if (installed.version !== entry.version || installed.integrity !== entry.integrity) {
      reasons.push(`${path} is ${installed.version ?? 'unknown'}, wanted ${entry.version ?? 'unknown'}`);
    } else if (!exists(path)) {
      reasons.push(`${path} was removed`);
    }
  }
  for (const path of Object.keys(found.packages)) if (wanted.packages[path] === undefined) reasons.push(`${path} is not wanted`);
  return reasons;
}

/**
 * Installs the npm packages where needed.
 * @param {string} root the folder of package.json
 * @returns {Promise<boolean>} false when npm failed; it has been said why
 */
export async function prepareModules(root) {
  const read = (/** @type {string} */ file) => /** @type {LockFile | undefined} */ (readJson(join(root, file)));
  const platform = { os: process.platform, cpu: process.arch };
  const reasons = staleReasons(read('package-lock.json'), read('node_modules/.package-lock.json'), platform, (path) =>
    existsSync(join(root, path)),
  );
  if (reasons.length === 0) return true;
  // Under `npm start` and `npm test` npm says where itself and its Node are; by hand, npm is looked for in PATH.
  const npm = process.env['npm_execpath'];
  const node = process.env['npm_node_execpath'] ?? process.execPath;
  const result = await runStep({
    name: `npm packages (${reasons[0]}${reasons.length > 1 ? ` and ${reasons.length - 1} more` : ''})`,
    argv: [...(npm === undefined ? ['npm'] : [node, npm]), 'ci', '--ignore-scripts'],
    cwd: root,
    log: join(root, '.muster/setup/npm-ci.log'),
    timeoutSeconds: 900,
  });
  if (!result.ok) showFailure(result, 'Check that the npm registry can be reached, then run the same command again.');
  return result.ok;
}
