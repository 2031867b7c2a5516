/**
 * Set-up installs a package with a daemon and nothing starts, nothing is enabled, and policy-rc.d is as it was: with a policy that lets daemons
 * start, with none, and when set-up is killed in the middle. Each in its own copy of this host (an overlay that is thrown away), with
 * Debian's own apt-get and Kea. A plain apt-get install goes first and must start the daemon, or the test would show nothing.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLinks } from '../setup/enabled.mjs';

const root = join(import.meta.dirname, '..');
const daemonPackage = 'kea-dhcp4-server';
const install = `import('${root}/setup/packages.mjs').then((set) => set.preparePackages(['${daemonPackage}'], '/tmp/muster')).then((end) => process.exit(end === 'installed' ? 0 : 1))`;
const letsStart = { text: '#!/bin/sh\nexit 0\n', mode: 0o751 };

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 180_000 });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${error?.message ?? ''}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A copy of this host that forgets what is done to it, without the package and with a policy or none. */
function copyOfHost(base: string, name: string, policy: { text: string; mode: number } | undefined): string {
  const at = (part: string) => join(base, name, part);
  for (const part of ['upper', 'work', 'host']) mkdirSync(at(part), { recursive: true });
  const host = at('host');
  run('mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=/,upperdir=${at('upper')},workdir=${at('work')}`, host);
  for (const part of ['dev', 'proc']) run('mount', '--rbind', `/${part}`, join(host, part));
  for (const part of ['run', 'tmp']) run('mount', '-t', 'tmpfs', 'tmpfs', join(host, part));
  mkdirSync(join(host, root), { recursive: true });
  run('mount', '--bind', root, join(host, root));
  writeFileSync(join(host, 'etc/resolv.conf'), readFileSync('/etc/resolv.conf'));
  const file = join(host, 'usr/sbin/policy-rc.d');
  rmSync(file, { force: true });
  for (const path of [`${file}.muster-found`, `${file}.muster-absent`]) rmSync(path, { force: true });
  rmSync(join(host, 'var/lib/muster-setup'), { recursive: true, force: true });
  run('chroot', host, 'dpkg', '--purge', '--force-depends', daemonPackage);
  if (policy !== undefined) {
    writeFileSync(file, policy.text);
    chmodSync(file, policy.mode);
  }
  return host;
}

/**
 * The daemons of the package that were started, dead ones included: nobody waits for those, so their numbers stay. Processes are numbered
 * apart from the host's here, so they are all ours.
 */
function daemons(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'kea-dhcp4';
    } catch {
      return false;
    }
  });
}

const linksOf = (host: string) =>
  startLinks(host)
    .filter((link) => link.target.includes('kea'))
    .map((link) => link.path.slice(host.length));
const policiesOf = (host: string) =>
  readdirSync(join(host, 'usr/sbin'))
    .filter((name) => name.startsWith('policy-rc.d'))
    .map(
      (name) =>
        `${name} ${(statSync(join(host, 'usr/sbin', name)).mode & 0o7777).toString(8)} ${readFileSync(join(host, 'usr/sbin', name), 'utf8')}`,
    );
const isInstalled = (host: string) => existsSync(join(host, 'usr/sbin/kea-dhcp4'));

/** Asserts that the package is there and the host else as it was. */
function assertQuiet(host: string, policies: readonly string[], daemonsBefore: readonly string[]) {
  assert.ok(isInstalled(host), 'the package is installed');
  assert.deepEqual(daemons(), daemonsBefore, 'no daemon was started');
  assert.deepEqual(linksOf(host), [], 'nothing was enabled');
  assert.deepEqual(policiesOf(host), policies, 'policy-rc.d is as it was');
  assert.ok(!existsSync(join(host, 'var/lib/muster-setup/found.json')), 'nothing is left to repair');
}

async function inside(base: string): Promise<void> {
  run('mount', '-t', 'tmpfs', 'tmpfs', base);

  const control = copyOfHost(base, 'control', letsStart);
  run('chroot', control, 'apt-get', 'update');
  run('chroot', control, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '--no-install-recommends', daemonPackage);
  assert.ok(daemons().length > 0, 'apt-get alone starts the daemon');
  assert.ok(linksOf(control).length > 0, 'apt-get alone enables it');
  for (const pid of daemons()) process.kill(Number(pid), 'SIGKILL');
  process.stdout.write(`apt-get alone: the daemon starts, and ${linksOf(control).length} links enable it\n`);

  const known = daemons();
  for (const [name, policy] of [
    ['permissive', letsStart],
    ['absent', undefined],
  ] as const) {
    const host = copyOfHost(base, name, policy);
    const before = policiesOf(host);
    run('chroot', host, process.execPath, '-e', install);
    assertQuiet(host, before, known);
    process.stdout.write(`policy ${name}: installed, nothing started, nothing enabled, policy as found\n`);
  }

  const host = copyOfHost(base, 'killed', letsStart);
  const before = policiesOf(host);
  const victim = spawn('chroot', [host, process.execPath, '-e', install], { stdio: 'ignore' });
  for (let tries = 0; tries < 1200 && policiesOf(host).length === 1; tries += 1) await sleep(50);
  assert.equal(policiesOf(host).length, 2, 'the policy was replaced');
  // chroot(1) becomes Node, so this is set-up itself; apt-get lives on.
  victim.kill('SIGKILL');
  run('chroot', host, process.execPath, '-e', install);
  assertQuiet(host, before, known);
  process.stdout.write('set-up killed during the installation: the next run repaired it\n');
}

const [mode, folder] = process.argv.slice(2);
if (mode === 'inside' && folder !== undefined) {
  await inside(folder);
} else {
  const base = mkdtempSync(join(tmpdir(), 'muster-quiet-'));
  // Own mounts and process numbers: when this ends, the copies and whatever runs in them are gone.
  const args = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, import.meta.filename, 'inside', base];
  const { status } = spawnSync('unshare', args, { stdio: 'inherit' });
  rmSync(base, { recursive: true, force: true });
  process.exit(status ?? 1);
}
