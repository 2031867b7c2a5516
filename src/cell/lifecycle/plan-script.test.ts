/** A plan as sh reads it: every argument arrives as it was, and nothing that a user or a machine said is code. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { chooseTarget, flatInstallation, smallestDisk, type TargetDisk } from '../storage/installation.ts';
import { planDeployment as planInstalled, planErase, type DeploymentModel, type DiskStep } from './disk-plan.ts';
import { renderPlan } from './plan-script.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-plan-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const names = ['disk', 'marker', 'gpt', 'filesystem', 'mount_partition', 'unpack', 'write_file', 'grub', 'boot_order', 'unmount', 'erase'];

/** Run it under a real sh whose functions only write down their arguments. */
function calls(script: string): string[][] {
  const steps = join(folder, 'steps.sh');
  const log = join(folder, 'log');
  const body = names.map((name) => `${name}() { printf '%s\\0' ${name} "$@" >>"$LOG"; printf '\\0' >>"$LOG"; }\n`).join('');
  writeFileSync(steps, body);
  writeFileSync(log, '');
  const plan = join(folder, 'plan.sh');
  writeFileSync(plan, script.replace('. /muster/steps.sh', `. ${steps}`));
  execFileSync('/bin/sh', ['-eu', plan], { env: { LOG: log, PATH: '/nowhere' }, cwd: folder });
  // Two NULs end a call; an empty argument would look the same, and no step has one.
  return readFileSync(log, 'utf8')
    .split('\0\0')
    .filter((call) => call !== '')
    .map((call) => call.split('\0'));
}

const hostile = fc.oneof(
  fc.constantFrom(
    "'; touch owned; '",
    '$(touch owned)',
    '`touch owned`',
    '"; touch owned; "',
    '\\',
    "a'b",
    '\n touch owned \n',
    '$HOME',
    '-rf',
    '*',
    '~',
    "'\\''",
    '${IFS}',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map((text) => text.replaceAll('\0', 'x').toWellFormed()),
);
const target = (serial: string): TargetDisk => ({ id: 1_700_000_000_003, name: 'vda', serial, wwn: null, size: 8 * 1024 ** 3 });
const planDeployment = (given: DeploymentModel, disk: TargetDisk) => planInstalled(given, flatInstallation(disk, given.operationId));
const model = (word: string): DeploymentModel => ({
  systemId: '4y3hk7f',
  hostname: word,
  fqdn: `${word}.example`,
  operationId: 1_700_000_000_001,
  image: { sha256: 'a'.repeat(64), url: `http://10.0.0.1/${word}`, kernel: '/boot/vmlinuz', initrd: '/boot/initrd.img', reports: true },
  kernelParameters: 'console=ttyS0',
  seed: { metadataUrl: 'http://m/', statusUrl: `http://s/${word}`, consumerKey: word, tokenKey: word, tokenSecret: word, hosts: [] },
});

test('hostile words arrive as words', () => {
  fc.assert(
    fc.property(hostile, hostile, (word, serial) => {
      const disk = target(serial);
      const steps = planDeployment(model(word), disk);
      const seen = calls(renderPlan(steps));
      expect(seen.map(([name]) => name)).toEqual(steps.map((step) => step.step));
      expect(seen[0]).toEqual(['disk', 'target', serial, String(disk.size)]);
      expect(seen.find(([name]) => name === 'unpack')).toEqual(['unpack', `http://10.0.0.1/${word}`, 'a'.repeat(64), 'tar.zst', '/target']);
      const files = new Map(
        seen
          .filter(([name]) => name === 'write_file')
          .map(([, path = '', , content = '']) => [path, Buffer.from(content, 'base64').toString()]),
      );
      expect(files.get('/target/etc/hostname')).toBe(`${word}\n`);
      const cloud = files.get('/target/etc/cloud/cloud.cfg.d/90_muster.cfg')!;
      const line = cloud.split('\n').find((one) => one.startsWith('datasource: '))!;
      expect(JSON.parse(line.slice('datasource: '.length))).toMatchObject({ MAAS: { token_secret: word } });
      expect(existsSync(join(folder, 'owned'))).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test('the plan marks before it writes, marks done last, and is the same each time', () => {
  const disk = target('s1');
  const one = planDeployment(model('m'), disk);
  expect(renderPlan(planDeployment(model('m'), disk))).toBe(renderPlan(one));
  expect(one.slice(0, 2).map((step) => step.step)).toEqual(['disk', 'marker']);
  expect(one.at(-1)).toMatchObject({ step: 'marker', phase: 'done', digest: 'a'.repeat(64) });
  const at = (name: DiskStep['step']) => one.findIndex((step) => step.step === name);
  expect(at('marker')).toBeLessThan(at('gpt'));
  const uuids = one.flatMap((step) => (step.step === 'filesystem' ? [step.uuid] : []));
  expect(uuids[0]).toMatch(/^[0-9A-F]{4}-[0-9A-F]{4}$/);
  expect(uuids[1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  const fstab = one.find((step) => step.step === 'write_file' && step.path.endsWith('fstab'));
  for (const uuid of uuids) expect(JSON.stringify(fstab)).toContain(uuid);
});

test('filesystems of different operations and disks differ, also with the large ids of large cells', () => {
  const id = fc.integer({ min: 1, max: 13_823 * 1e11 });
  fc.assert(
    fc.property(id, id, fc.integer({ min: 0, max: 4096 }), fc.integer({ min: 0, max: 4096 }), (a, b, more, further) => {
      const [c, d] = [a + more, b + further];
      fc.pre(a !== c || b !== d);
      const uuid = (operationId: number, diskId: number) => {
        const disk = { ...target('s'), id: diskId };
        return planDeployment({ ...model('m'), operationId }, disk).flatMap((step) => (step.step === 'filesystem' ? [step.uuid] : []));
      };
      const [esp, root] = uuid(a, b);
      expect(root).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(esp).toMatch(/^[0-9A-F]{4}-[0-9A-F]{4}$/);
      expect(root).not.toBe(uuid(c, d)[1]);
    }),
  );
});

test('which disk is chosen: the boot disk, else the first that is large enough and can be told from the others', () => {
  const disk = (id: number, size: number, serial: string | null, wwn: string | null = null): TargetDisk => ({
    id,
    name: `d${id}`,
    size,
    serial,
    wwn,
  });
  const big = smallestDisk;
  expect(chooseTarget([disk(1, big, null), disk(2, big - 1, 's2'), disk(3, big, 's3'), disk(4, big, 's4')], null)?.id).toBe(3);
  expect(chooseTarget([disk(3, big, 's3'), disk(4, big, '', 'w4')], 4)?.id).toBe(4);
  expect(chooseTarget([disk(3, big, 's3'), disk(4, big, '')], 4)).toBeUndefined();
  expect(chooseTarget([disk(3, big, 's3'), disk(4, big - 1, 's4')], 4)).toBeUndefined();
  expect(chooseTarget([], 4)).toBeUndefined();
});

test('an erase names every disk that can be told apart, and no other', () => {
  const steps = planErase([target('s1'), { ...target(''), serial: null }, { ...target('s2'), wwn: 'w2' }]);
  expect(calls(renderPlan(steps))).toEqual([
    ['disk', 'disk0', 's1', '8589934592'],
    ['erase', 'disk0', 'quick'],
    ['disk', 'disk2', 'w2', '8589934592'],
    ['erase', 'disk2', 'quick'],
  ]);
});
