/** policy-rc.d comes back as it was found, wherever a run was killed. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { denyDaemons, restorePolicy } from '../setup/policy.mjs';

let folder: string;
let policy: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-policy-'));
  policy = join(folder, 'policy-rc.d');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const answer = () => spawnSync(policy, ['kea-dhcp4-server', 'start']).status;
const print = () => {
  const { mode, ino, mtimeMs, uid, gid } = lstatSync(policy);
  return { mode, ino, mtimeMs, uid, gid, bytes: readFileSync(policy, 'latin1') };
};
const permissive = () => {
  writeFileSync(policy, '#!/bin/sh\nexit 0\n');
  chmodSync(policy, 0o751);
};

describe('a policy that lets daemons start', () => {
  beforeEach(permissive);

  test('says no meanwhile, and is the same file afterwards', () => {
    const before = print();
    denyDaemons(policy);
    expect(answer()).toBe(101);
    expect(restorePolicy(policy)).toBe(true);
    expect(print()).toEqual(before);
    expect(readdirSync(folder)).toEqual(['policy-rc.d']);
  });

  test('a killed run is put right by the next, twice over', () => {
    const before = print();
    denyDaemons(policy);
    denyDaemons(policy);
    expect(answer()).toBe(101);
    restorePolicy(policy);
    expect(restorePolicy(policy)).toBe(false);
    expect(print()).toEqual(before);
  });

  test('killed between the second name and the replacement', () => {
    const before = print();
    linkSync(policy, `${policy}.muster-found`);
    expect(restorePolicy(policy)).toBe(true);
    expect(print()).toEqual(before);
    expect(readdirSync(folder)).toEqual(['policy-rc.d']);
  });
});

test('no policy: none afterwards', () => {
  denyDaemons(policy);
  expect(answer()).toBe(101);
  restorePolicy(policy);
  expect(readdirSync(folder)).toEqual([]);
});

test('no policy, killed before ours was there: none afterwards', () => {
  writeFileSync(`${policy}.muster-absent`, '');
  restorePolicy(policy);
  expect(readdirSync(folder)).toEqual([]);
});

test('no policy, and someone put one there meanwhile: theirs stays', () => {
  denyDaemons(policy);
  permissive();
  restorePolicy(policy);
  expect(answer()).toBe(0);
  expect(readdirSync(folder)).toEqual(['policy-rc.d']);
});

test('a policy that is a symbolic link stays one', () => {
  const target = join(folder, 'alternative');
  writeFileSync(target, '#!/bin/sh\nexit 0\n');
  chmodSync(target, 0o755);
  symlinkSync(target, policy);
  denyDaemons(policy);
  expect(answer()).toBe(101);
  expect(readFileSync(target, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  restorePolicy(policy);
  expect(readlinkSync(policy)).toBe(target);
  expect(statSync(target).mode & 0o777).toBe(0o755);
});
