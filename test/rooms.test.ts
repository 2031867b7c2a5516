import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isTest, loadedWith, problemsOf } from './rooms.ts';
import { factsOf, readSources } from './source.ts';

const root = join(import.meta.dirname, '..');
const folders = ['src', 'ui', 'test', 'e2e', 'bench', 'conformance', 'setup'].filter((folder) => existsSync(join(root, folder)));

/** What the checks say about one planted file. */
const planted = (path: string, text: string) => problemsOf(factsOf({ path, text }));

describe('the tree', () => {
  const files = readSources(root, folders).map(factsOf);

  test('every file keeps the arrows and the house rules', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap((file) => problemsOf(file).map((problem) => `${file.path}: ${problem}`))).toEqual([]);
  });

  test('what a browser loads needs nothing of Node', () => {
    const browser = files.filter(
      (file) => /^(src\/contract|ui)\//.test(file.path) && !isTest(file.path) && !file.path.endsWith('.config.ts'),
    );
    const loaded = new Set(browser.flatMap((file) => loadedWith(file.path, files)));
    const nodeOnly = [...loaded].flatMap((file) =>
      file.imports
        .filter((each) => !each.typeOnly && each.specifier.startsWith('node:'))
        .map((each) => `${file.path} imports ${each.specifier}`),
    );
    expect(loaded.size).toBeGreaterThan(5);
    expect(nodeOnly).toEqual([]);
  });
});

describe('a planted violation is found', () => {
  test.each([
    ['contract sees a sibling', 'src/contract/a.ts', `import { b } from '../http/b.ts';`, /contract must not see http/],
    ['a type counts too', 'src/contract/a.ts', `import type { B } from '../cell/b.ts';`, /contract must not see cell/],
    ['a type in place', 'src/contract/a.ts', `export type B = import('../cell/b.ts').B;`, /contract must not see cell/],
    ['a dynamic import', 'src/front/a.ts', `export const b = () => import('../cell/b.ts');`, /front must not see cell/],
    ['a re-export', 'src/hub/a.ts', `export { b } from '../front/b.ts'; export const c = 1;`, /hub must not see front/],
    ['cell sees hub', 'src/cell/a.ts', `import '../hub/b.ts';`, /cell must not see hub/],
    ['cli sees global', 'src/cli/a.ts', `import { b } from '../global/b.ts';`, /cli must not see global/],
    ['sim sees the cell', 'src/sim/a.ts', `import { b } from '../cell/b.ts';`, /sim must not see cell/],
    ['ui sees more of http than the client', 'ui/a.tsx', `import { b } from '../src/http/server.ts';`, /ui must not see http/],
    ['a room sees main', 'src/cell/a.ts', `import { b } from '../main.ts';`, /cell must not see main/],
    ['a room sees a test', 'src/cell/a.ts', `import { b } from '../../test/b.ts';`, /belongs to no room/],
    [
      'an inner room sees a sibling',
      'src/cell/netboot/a.ts',
      `import { b } from '../lifecycle/b.ts';`,
      /cell\/netboot must not see cell\/lifecycle/,
    ],
    ['an inner room sees the wiring', 'src/cell/power/a.ts', `import { b } from '../cell.ts';`, /cell\/power must not see what wires it/],
    ['the stores see a room', 'src/cell/db/a.ts', `import { b } from '../api/b.ts';`, /cell\/db must not see cell\/api/],
    ['kysely outside of db', 'src/cell/api/a.ts', `import { sql } from 'kysely';`, /imports kysely/],
    ['pg outside of db', 'src/front/a.ts', `import { Pool } from 'pg';`, /imports pg/],
    ['the contract on Node', 'src/contract/a.ts', `import { b } from 'node:fs';`, /runs in a browser/],
    ['the page on Node', 'ui/a.tsx', `import { b } from 'node:fs';`, /runs in a browser/],
    ['the environment', 'src/cell/a.ts', `export const a = process.env['A'];`, /reads the environment/],
    ['the environment, taken apart', 'src/cell/a.ts', `const { env } = process; export const a = env;`, /reads the environment/],
    ['the environment, imported', 'src/cell/a.ts', `import { env } from 'node:process'; export const a = env;`, /reads the environment/],
    ['the environment, the long way', 'src/cell/a.ts', `export const a = globalThis.process.env;`, /reads the environment/],
    ['a default export', 'src/cell/a.ts', 'export default 1;', /default export/],
    ['a default export by name', 'src/cell/a.ts', 'const a = 1; export { a as default };', /default export/],
    ['a barrel', 'src/cell/a.ts', `export { b } from './b.ts'; export { c } from './c.ts';`, /barrel/],
    ['everything of another', 'src/cell/a.ts', `export * from './b.ts'; export const c = 1;`, /barrel/],
    ['an index', 'src/cell/index.ts', 'export const a = 1;', /index/],
    ['a banned name', 'src/cell/power-helpers.ts', 'export const a = 1;', /name the noun/],
    ['a camel', 'src/cell/bootFacts.ts', 'export const a = 1;', /kebab-case/],
    ['a long file', 'src/cell/a.ts', 'export const a = 1;\n'.repeat(401), /401 lines/],
    ['an unknown room', 'src/plugins/a.ts', 'export const a = 1;', /unknown room/],
    ['an unknown inner room', 'src/cell/jobs/a.ts', 'export const a = 1;', /unknown room of the cell/],
    ['no room', 'src/a.ts', 'export const a = 1;', /outside of a room/],
  ])('%s', (_, path, text, problem) => {
    expect(planted(path, text).join('\n')).toMatch(problem);
  });
});

describe('what is allowed is let through', () => {
  test.each([
    [
      'main sees every room',
      'src/main.ts',
      `import { a } from './cell/cell.ts'; import { b } from './hub/hub.ts'; export const c = process.env;`,
    ],
    ['the cell sees what it stands on', 'src/cell/cell.ts', `import { a } from '../global/a.ts'; import { b } from './power/b.ts';`],
    ['an inner room sees the stores', 'src/cell/power/a.ts', `import { b } from '../db/b.ts'; import { c } from '../../contract/c.ts';`],
    ['kysely in a store', 'src/cell/db/a.ts', `import { sql } from 'kysely';`],
    ['kysely in postgres', 'src/postgres/a.ts', `import { sql } from 'kysely';`],
    ['the page sees the client', 'ui/a.tsx', `import { b } from '../src/http/client.ts'; import { c } from '../src/contract/c.ts';`],
    ['the package table', 'src/cell/network/a.ts', `import { installCommand } from '../../../setup/debian-packages.mjs';`],
    ['a test sees the test PostgreSQL', 'src/cell/db/a.test.ts', `import { b } from '../../../test/postgres.ts';`],
    ['e2e sees all', 'e2e/a.e2e.ts', `import { b } from '../src/cell/cell.ts'; import { c } from '../src/hub/hub.ts';`],
    [
      'words that look like imports',
      'src/contract/a.ts',
      `export const a = "import { b } from '../http/b.ts'"; // import '../cell/a.ts' process.env`,
    ],
    ['a configuration', 'ui/vite.config.ts', 'export default {};'],
  ])('%s', (_, path, text) => {
    expect(planted(path, text)).toEqual([]);
  });

  test('a typed client that pulls Node in is found', () => {
    const files = [
      { path: 'ui/a.tsx', text: `import { b } from '../src/http/client.ts';` },
      { path: 'src/http/client.ts', text: `import { c } from './c.ts'; import type { D } from './d.ts'; export const b: D = c;` },
      { path: 'src/http/c.ts', text: `import { readFile } from 'node:fs'; export const c = readFile;` },
      { path: 'src/http/d.ts', text: `import { readFile } from 'node:fs'; export type D = typeof readFile;` },
    ].map(factsOf);
    expect(loadedWith('ui/a.tsx', files).map((file) => file.path)).toEqual(['ui/a.tsx', 'src/http/client.ts', 'src/http/c.ts']);
  });
});
