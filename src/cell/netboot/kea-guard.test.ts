/** The guard over a real process that stands for Kea: who gets a signal when the cell is gone, and who does not. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setSpare } from './kea-guard.ts';

let folder = '';
const started: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-guard-'));
  await writeFile(join(folder, 'orphan'), 'for the other');
  // A shell with a command line like Kea's: it notes each SIGHUP and ends by SIGTERM.
  await copyFile('/bin/sh', join(folder, 'kea'));
  await chmod(join(folder, 'kea'), 0o755);
});
afterEach(async () => {
  for (const child of started.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function standIn(...args: string[]): Promise<ChildProcess> {
  const child = spawn(join(folder, 'kea'), args, { stdio: ['ignore', 'pipe', 'ignore'], cwd: folder });
  started.push(child);
  await new Promise((up) => child.stdout.once('data', up));
  await writeFile(join(folder, 'kea-dhcp4.kea-dhcp4.pid'), `${child.pid}\n`);
  return child;
}
/** What it runs is what it has for a file name. */
const noting = 'trap "echo >>hups" HUP; echo up; while :; do sleep 0.05; done';

/** A cell that dies at once, its guard left behind; resolves when the guard is through. */
async function cellDies(file: string): Promise<void> {
  const guard = join(import.meta.dirname, 'kea-guard.ts');
  const given = { folder, program: join(folder, 'kea'), file, orphanFile: join(folder, 'orphan'), spareAfterSeconds: 0.3 };
  const code = `import(${JSON.stringify(guard)}).then(({ startGuard }) => { startGuard(${JSON.stringify(given)}); process.kill(process.pid, 'SIGKILL'); })`;
  const child = spawn(process.execPath, ['-e', code], { stdio: 'ignore', cwd: folder });
  await new Promise((done) => child.once('close', done));
  await sleep(1_000);
}
const hups = async (): Promise<number> => (await readFile(join(folder, 'hups'), 'utf8').catch(() => '')).length;
const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

test('Kea gets the configuration for the other process and goes on', async () => {
  const kea = await standIn('-c', noting);
  await cellDies(noting);
  expect([await hups(), isAlive(kea)]).toEqual([1, true]);
  expect(await readFile(join(folder, noting), 'utf8')).toBe('for the other');
});

test('with two others that serve it ends', async () => {
  await setSpare(folder, true);
  const kea = await standIn('-c', noting);
  await cellDies(noting);
  expect([await hups(), isAlive(kea)]).toEqual([1, false]);
});

test('a stranger who has the number of an old pid file gets no signal', async () => {
  await setSpare(folder, true);
  const stranger = await standIn('-c', noting, 'kea-dhcp4');
  await cellDies(noting);
  expect([await hups(), isAlive(stranger)]).toEqual([0, true]);
  expect(await readdir(folder)).not.toContain(noting);
});
