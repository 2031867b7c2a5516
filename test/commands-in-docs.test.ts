import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commands } from './commands.ts';
import { beginsWith, commandsInMarkdown, meant, mentionsIn } from './printed-commands.ts';
import { isTest } from './rooms.ts';
import { factsOf, readSources } from './source.ts';

const root = join(import.meta.dirname, '..');
const known = Object.keys(commands);

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** Calls of the API, which test/op-cookbook.test.ts judges by the routes table. */
const judgedElsewhere = ['docs/op-cookbook.md'];
const documented = documents
  .filter((path) => !judgedElsewhere.includes(path))
  .flatMap((path) => commandsInMarkdown(readFileSync(join(root, path), 'utf8')).map((command) => ({ path, command })));
const printed = readSources(root, ['src', 'setup'])
  .filter((file) => !isTest(file.path))
  .flatMap((file) =>
    factsOf(file)
      .texts.flatMap(mentionsIn)
      .map((mention) => ({ path: file.path, mention })),
  );

function run(command: string, cwd: string): Promise<{ exit: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', command],
      { cwd, timeout: 60_000, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined } },
      (error, stdout, stderr) => {
        resolve({ exit: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr });
      },
    );
  });
}

test('every documented command has something that runs it', () => {
  expect(documented.length).toBeGreaterThan(0);
  expect(documented.filter(({ command }) => commands[command] === undefined)).toEqual([]);
});

test('every command that the program prints has something that runs it', () => {
  expect(printed.length).toBeGreaterThan(0);
  expect(printed.filter(({ mention }) => meant(mention, known) === undefined)).toEqual([]);
});

test('no proof is left of a command that nobody prints', () => {
  const used = new Set([...documented.map(({ command }) => command), ...printed.map(({ mention }) => meant(mention, known))]);
  expect(known.filter((command) => !used.has(command))).toEqual([]);
});

const proofs = Object.entries(commands);

describe('what is run elsewhere', () => {
  test.each(proofs.flatMap(([command, proof]) => (proof.kind === 'file' ? [[command, proof.file] as const] : [])))(
    '%s by %s',
    (command, file) => {
      expect(existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '').toContain(command.replace(/[A-Z][A-Z_]*.*$/, ''));
    },
  );
});

describe('what is run here', () => {
  test.each(proofs.flatMap(([command, proof]) => (proof.kind === 'run' ? [[command, proof] as const] : [])))(
    '%s',
    { timeout: 90_000 },
    async (command, proof) => {
      const { exit, output } = await run(proof.as ?? command, root);
      expect(output).toMatch(proof.prints);
      expect(exit).toBe(proof.exit);
    },
  );
});

describe('what is run in a scratch folder', () => {
  let scratch: string;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'muster-command-'));
    for (const name of ['package.json', '.oxfmtrc.json']) cpSync(join(root, name), join(scratch, name));
    symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  });
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  test.each(proofs.flatMap(([command, proof]) => (proof.kind === 'scratch' ? [[command, proof] as const] : [])))(
    '%s',
    async (command, proof) => {
      for (const [name, text] of Object.entries(proof.files)) writeFileSync(join(scratch, name), text);
      expect(await run(command, scratch)).toMatchObject({ exit: 0 });
      const after = Object.fromEntries(Object.keys(proof.after).map((name) => [name, readFileSync(join(scratch, name), 'utf8')]));
      expect(after).toEqual(proof.after);
    },
  );
});

describe('commands are found', () => {
  test('in sh blocks only, without comments, joined, without prompts', () => {
    const text = 'Run `npm x`.\n\n```sh\n# first\n$ npm start   # all of it\nnpm run e2e -- \\\n  metal\n```\n\n```ts\nconst a = 1;\n```\n';
    expect(commandsInMarkdown(text)).toEqual(['npm start', 'npm run e2e -- metal']);
  });
  test('in what a source says, not in its comments', () => {
    const source = "// npm run x\nconst a = `./muster up ${b} now`; f('npm test');";
    expect(factsOf({ path: 'a.ts', text: source }).texts.flatMap(mentionsIn)).toEqual(['./muster up … now', 'npm test']);
  });
  test('up to the end of the line', () => {
    expect(mentionsIn(`say('run npm start once in here');\nsay("./muster login URL")`)).toEqual([
      "npm start once in here');",
      './muster login URL")',
    ]);
  });
  test('values stand for one word; the longest command is meant', () => {
    expect(beginsWith('npm run e2e -- metal', 'npm run e2e -- NAME')).toBe(true);
    expect(beginsWith('npm run e2e', 'npm run e2e -- NAME')).toBe(false);
    expect(beginsWith("npm test'),", 'npm test')).toBe(true);
    expect(beginsWith('npm tests', 'npm test')).toBe(false);
    expect(meant('npm run e2e -- metal', ['npm run e2e', 'npm run e2e -- NAME'])).toBe('npm run e2e -- NAME');
    expect(meant('npm run sing', ['npm run e2e'])).toBeUndefined();
  });
});
