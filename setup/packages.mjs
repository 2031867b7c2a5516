/**
 * Installs Debian packages where we are root on Debian, without starting or enabling a daemon; elsewhere says what to install.
 * One installation at a time on a host: a lock that the kernel drops when the last process that holds it is gone, apt-get included.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { installCommand, missingPackages } from './debian-packages.mjs';
import { addedLinks, levelScripts, removeUnitLinks, startLinks } from './enabled.mjs';
import { denyDaemons, restorePolicy } from './policy.mjs';
import { readJson, runStep, say, showFailure, wasInterrupted } from './progress.mjs';

/** @typedef {{ readonly packages: readonly string[], readonly links: readonly import('./enabled.mjs').Link[] }} Found */

const stateFolder = '/var/lib/muster-setup';
const foundFile = join(stateFolder, 'found.json');
const aptEnvironment = () => ({ ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' });
const aptOptions = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=600', '-o', 'Dpkg::Options::=--force-confold'];

/** Whether this host has Debian's packages (Debian itself or one made from it). */
export const onDebian = () => existsSync('/etc/debian_version') && existsSync('/usr/bin/dpkg-query');

/** Whether packages can be installed by us. */
export const canInstall = () => onDebian() && process.getuid?.() === 0;

/**
 * Which of some packages are missing on this host; all of them where there is no dpkg.
 * @param {readonly string[]} names
 * @returns {string[]}
 */
export function missingHere(names) {
  if (!onDebian()) return [...names];
  const answer = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' });
  return missingPackages(names, answer.stdout ?? '');
}

/**
 * The packages that apt-get would put on the host, dependencies included.
 * @param {string} simulation what `apt-get --simulate install` printed
 * @returns {string[]}
 */
export function simulatedPackages(simulation) {
  return [...simulation.matchAll(/^Inst (\S+)/gm)].map((match) => String(match[1]).replace(/:.*$/, ''));
}

/** @param {readonly string[]} packages @returns {Set<string>} base names of the files that packages shipped */
function shippedNames(packages) {
  const listed = spawnSync('dpkg', ['-L', ...packages], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).stdout ?? '';
  return new Set(listed.split('\n').map((line) => basename(line.trim())));
}

/** Puts the host back as it was found, but for the packages: the policy, and nothing more starts at boot than before. */
function leaveAsFound() {
  const found = /** @type {Found | undefined} */ (readJson(foundFile));
  if (found !== undefined) {
    const added = addedLinks(found.links, startLinks(), shippedNames(found.packages));
    for (const script of levelScripts(added)) spawnSync('update-rc.d', [script, 'disable'], { stdio: 'ignore' });
    // update-rc.d may have removed the unit's links already.
    const present = new Set(startLinks().map((link) => link.path));
    removeUnitLinks(added.filter((link) => present.has(link.path)));
  }
  restorePolicy();
  if (found !== undefined) unlinkSync(foundFile);
}

/** @param {readonly string[]} names */
function simulate(names) {
  return spawnSync('apt-get', [...aptOptions, '--simulate', 'install', ...names], { encoding: 'utf8', env: aptEnvironment() });
}

/**
 * Installs packages; the caller holds the lock.
 * @param {readonly string[]} names
 * @param {string} logs folder for the logs
 * @param {number} lock descriptor of the lock, held by apt-get too so that a killed set-up does not free it early
 * @returns {Promise<boolean>}
 */
async function install(names, logs, lock) {
  const apt = (/** @type {string} */ name, /** @type {string[]} */ args, /** @type {boolean} */ finish) =>
    runStep({
      name,
      argv: ['apt-get', ...aptOptions, ...args],
      log: join(logs, `apt-${args[0]?.replace(/^-+/, '')}.log`),
      env: aptEnvironment(),
      timeoutSeconds: 1200,
      inherit: lock,
      finish,
    });
  const advice = `Check apt's sources and the network, then run the same command again; or run: ${installCommand(names)}`;
  const updated = await apt('Debian package lists', ['update'], false);
  if (!updated.ok) {
    showFailure(updated, advice);
    return false;
  }
  const fetched = await apt(`download of ${names.length} Debian packages`, ['--download-only', 'install', ...names], false);
  if (!fetched.ok) {
    showFailure(fetched, advice);
    return false;
  }
  /** @type {Found} */
  const found = { packages: simulatedPackages(simulate(names).stdout ?? ''), links: startLinks() };
  writeFileSync(foundFile, JSON.stringify(found));
  try {
    denyDaemons();
    const installed = await apt(`installation of ${found.packages.length} Debian packages, no daemon started`, ['install', ...names], true);
    if (!installed.ok) showFailure(installed, advice);
    return installed.ok;
  } finally {
    leaveAsFound();
  }
}

/**
 * Sees to it that packages are installed.
 * @param {readonly string[]} names
 * @param {string} root the checkout, for logs
 * @returns {Promise<'installed' | 'missing' | 'failed'>} `missing`: not root on Debian, and it has been said what to run
 */
export async function preparePackages(names, root) {
  if (
    canInstall() &&
    (existsSync(foundFile) || existsSync('/usr/sbin/policy-rc.d.muster-found') || existsSync('/usr/sbin/policy-rc.d.muster-absent'))
  ) {
    await withLock(async () => leaveAsFound());
  }
  const missing = missingHere(names);
  if (missing.length === 0) return 'installed';
  if (!canInstall()) {
    say(`Missing Debian package${missing.length > 1 ? 's' : ''}: ${missing.join(' ')}`);
    say(`Run this, then the same command again: ${installCommand(missing)}`);
    return 'missing';
  }
  const ok = await withLock(async (lock) => {
    leaveAsFound();
    // Another run may have installed them while this one waited.
    const still = missingHere(names);
    return still.length === 0 || (await install(still, join(root, '.muster/setup'), lock));
  });
  if (wasInterrupted()) process.exit(130);
  return ok && missingHere(names).length === 0 ? 'installed' : 'failed';
}

/**
 * @template T
 * @param {(lock: number) => Promise<T>} work
 * @returns {Promise<T | undefined>} undefined when the lock was not to be had
 */
async function withLock(work) {
  mkdirSync(stateFolder, { recursive: true });
  const lock = openSync(join(stateFolder, 'lock'), 'a');
  try {
    const held = await runStep({
      name: 'waiting for another installation',
      argv: ['flock', '--wait', '1200', '3'],
      log: join(stateFolder, 'lock.log'),
      timeoutSeconds: 1260,
      inherit: lock,
      quiet: true,
    });
    if (held.ok) return await work(lock);
    showFailure(held, `Another process holds ${join(stateFolder, 'lock')}; run again when it has ended.`);
    return undefined;
  } finally {
    closeSync(lock);
  }
}
