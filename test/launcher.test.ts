/** `./muster`: found through links, from anywhere, with arguments and exit code passed on. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
let folder: string;
let home: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster launcher-'));
  home = join(folder, 'checkout');
  mkdirSync(join(home, 'src'), { recursive: true });
  cpSync(join(root, 'muster'), join(home, 'muster'));
  writeFileSync(
    join(home, 'src/main.ts'),
    'const args: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify({ args, version: process.version }));\nprocess.exit(args.length);\n',
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function install() {
  mkdirSync(join(home, 'node_modules/.bin'), { recursive: true });
  symlinkSync(process.execPath, join(home, 'node_modules/.bin/node'));
}

function launch(program: string, args: string[], cwd = '/'): Promise<{ exit: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd }, (error, stdout, stderr) =>
      resolve({ exit: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

test('arguments arrive as they are, and the exit code comes back', async () => {
  install();
  const { exit, stdout } = await launch(join(home, 'muster'), ['up', 'a b', '', '*']);
  expect(JSON.parse(stdout)).toEqual({ args: ['up', 'a b', '', '*'], version: process.version });
  expect(exit).toBe(4);
});

test('through a relative link to an absolute link', async () => {
  install();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(home, 'muster'), join(folder, 'bin/direct'));
  symlinkSync('bin/direct', join(folder, 'muster'));
  expect((await launch('./muster', [], folder)).exit).toBe(0);
});

test('not set up: says what to run', async () => {
  const { exit, stderr } = await launch(join(home, 'muster'), ['up']);
  expect(stderr).toBe(`Muster is not set up: run npm start once in ${home}\n`);
  expect(exit).toBe(1);
});
