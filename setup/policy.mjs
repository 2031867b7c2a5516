/**
 * Debian starts a package's daemons while it installs the package, unless /usr/sbin/policy-rc.d says no (Debian policy 9.3.3.1;
 * invoke-rc.d and deb-systemd-invoke both ask it). For the time of an installation ours says no; then the file that was there, or its
 * absence, comes back: the same inode, so the same bytes, mode, owner and times. What a killed run left is put right by the next.
 */
import { chmodSync, linkSync, lstatSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';

export const policyFile = '/usr/sbin/policy-rc.d';

const ours = `#!/bin/sh
# Put here by Muster's set-up while it installs packages: no daemon starts. It is removed when the installation ends.
exit 101
`;

/** @param {string} path @returns {import('node:fs').Stats | undefined} */
function look(path) {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** @param {string} path */
const found = (path) => `${path}.muster-found`;
/** @param {string} path */
const absent = (path) => `${path}.muster-absent`;

/**
 * Puts back what {@link denyDaemons} replaced, whoever called it; does nothing when nothing was replaced.
 * @param {string} [path]
 * @returns {boolean} whether there was something to put back
 */
export function restorePolicy(path = policyFile) {
  const saved = look(found(path));
  if (saved !== undefined) {
    const now = look(path);
    // Two names of one file: killed between link and rename. rename() would do nothing and leave both.
    if (now !== undefined && now.ino === saved.ino && now.dev === saved.dev) unlinkSync(found(path));
    else renameSync(found(path), path);
    return true;
  }
  if (look(absent(path)) === undefined) return false;
  if (look(path) !== undefined && readFileSync(path, 'utf8') === ours) unlinkSync(path);
  unlinkSync(absent(path));
  return true;
}

/**
 * Makes the policy say no to every daemon. At no moment is there less of a policy than before.
 * @param {string} [path]
 */
export function denyDaemons(path = policyFile) {
  restorePolicy(path);
  if (look(path) === undefined) writeFileSync(absent(path), '', { flag: 'wx' });
  else linkSync(path, found(path));
  const fresh = `${path}.muster-new`;
  writeFileSync(fresh, ours);
  chmodSync(fresh, 0o755);
  renameSync(fresh, path);
}
