/** What a boot of this host would start: the links of systemd and of the run levels. An installation must not add to them. */
import { readdirSync, readlinkSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

/** @typedef {{ readonly path: string, readonly target: string }} Link */

const systemdFolders = ['etc/systemd/system', 'etc/systemd/user'];

/** @param {string} folder @param {number} depth @returns {Link[]} */
function linksIn(folder, depth) {
  /** @type {import('node:fs').Dirent[]} */
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) return [{ path, target: readlinkSync(path) }];
    return entry.isDirectory() && depth > 0 ? linksIn(path, depth - 1) : [];
  });
}

/**
 * Every link that makes something start at boot, or by another unit.
 * @param {string} [root] `/`, or a folder that stands for it
 * @returns {Link[]}
 */
export function startLinks(root = '/') {
  const systemd = systemdFolders.flatMap((folder) => linksIn(join(root, folder), 1));
  const levels = [...'2345S'].flatMap((level) =>
    linksIn(join(root, `etc/rc${level}.d`), 0).filter((link) => basename(link.path).startsWith('S')),
  );
  return [...systemd, ...levels];
}

/**
 * The links that an installation added: new ones, to units and scripts of the packages that it installed.
 * @param {readonly Link[]} before
 * @param {readonly Link[]} after
 * @param {ReadonlySet<string>} shipped base names of the files of those packages
 * @returns {Link[]}
 */
export function addedLinks(before, after, shipped) {
  const known = new Set(before.map((link) => link.path));
  return after.filter((link) => !known.has(link.path) && shipped.has(basename(link.target)));
}

/**
 * The scripts of run levels among some links: their names, each once.
 * @param {readonly Link[]} links
 */
export function levelScripts(links) {
  return [...new Set(links.filter((link) => /\/rc[2-5S]\.d\//.test(link.path)).map((link) => basename(link.target)))];
}

/**
 * Removes the links of systemd among some links, as `systemctl disable` would.
 * @param {readonly Link[]} links
 */
export function removeUnitLinks(links) {
  for (const link of links) if (!/\/rc[2-5S]\.d\//.test(link.path)) unlinkSync(link.path);
}
