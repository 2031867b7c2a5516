import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pauseBefore, Supervised, type ChildSpec } from './supervised.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-supervised-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function child(script: string, told: string[] = [], signal = new AbortController().signal, place?: ChildSpec['place']): Supervised {
  return new Supervised(
    {
      name: 'it',
      argv: [process.execPath, '-e', script],
      environment: {},
      log: join(folder, `${Math.random()}.log`),
      ready: / is up at /,
      readyWithinMs: 10_000,
      ...(place ? { place } : {}),
    },
    { tell: (line) => told.push(line), signal },
  );
}

const stays = `console.log('it is up at last'); process.stdin.on('close', () => process.exit(0)).resume();`;

test('what dies is started again, what is stopped is not', async () => {
  const told: string[] = [];
  const one = child(stays, told);
  expect(await one.start()).toBe('it is up at last');
  const before = one.pid;
  one.kill();
  await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe('it is up again');
  expect(one.pid).not.toBe(before);
  expect(told[0]).toMatch(/it ended \(SIGKILL\); starting it again in 0\.5 s/);
  const last = one.pid ?? 0;
  await one.stop();
  expect(() => process.kill(last, 0)).toThrow('ESRCH');
  expect(told).toHaveLength(2);
});

test('one that does not come up says why, in its own words', async () => {
  const one = child(`process.stderr.write('{"level":30}\\nmuster: the port is taken\\n'); process.exit(1);`);
  await expect(one.start()).rejects.toThrow('it did not start: the port is taken');
  await one.stop();
});

test('waiting for one ends with the signal, and it is stopped', async () => {
  const given = new AbortController();
  const one = child('setTimeout(() => {}, 60_000)', [], given.signal);
  const started = one.start();
  given.abort(new Error('enough'));
  await expect(started).rejects.toThrow('enough');
  await one.stop();
  expect(() => process.kill(one.pid ?? 0, 0)).toThrow('ESRCH');
});

test('pauses grow up to half a minute', () => {
  const pauses = Array.from({ length: 20 }, (_, failures) => pauseBefore(failures));
  expect(pauses[0]).toBe(0);
  expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
  expect(pauses.at(-1)).toBe(30_000);
});

test('one that was sent away stays away', async () => {
  const told: string[] = [];
  const pids: number[] = [];
  let away = 0;
  const one = child(stays, told, undefined, { writePid: (_, pid) => pids.push(pid), awayMs: () => away });
  await one.start();
  away = 1_500;
  one.kill();
  await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe('it is up again');
  expect(told[0]).toMatch(/starting it again in 1\.5 s/);
  expect(pids).toHaveLength(2);
  expect(pids.at(-1)).toBe(one.pid);
  await one.stop();
});
