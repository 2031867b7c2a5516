/**
 * Unit and room tests: beside the code in src/ and ui/, of the tree as a whole in test/. Runs in `npm test` and by `npm run unit`.
 *
 * The tests of the cell's API run twice, by the same files: project `cell` asks a bare cell, project `front` a front over three cells and a
 * hub (test/through-front.ts). Alone: `npm run unit -- --project front FILE`.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;
/** Starts the one PostgreSQL that a run's tests clone their databases from. */
const postgres = 'test/postgres.ts';
const everything = ['{src,test,ui,e2e,bench,conformance,setup}/**/*.test.{ts,tsx}'];
/** What asks the API by one of the two harnesses that can go through a front. */
const asksTheApi = globSync('src/**/*.test.ts', { cwd: root }).filter((file) =>
  /\/test\/(cell-api|network-server|through-front)\.ts'/.test(readFileSync(`${root}/${file}`, 'utf8')),
);

/** What only fronts ask of cells, and the cell alone: there is no second way to it. */
const ofTheCellAlone = ['src/cell/allocate/claim-rules.test.ts', 'src/cell/allocate/plans.test.ts', 'src/cell/api/machine-stream.test.ts'];

const usual = {
  globalSetup: existsSync(`${root}/${postgres}`) ? [postgres] : [],
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    // Two cores: two worker processes; a third only adds waiting for PostgreSQL.
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    projects: [
      { test: { ...usual, name: 'unit', include: everything, exclude: ['**/node_modules/**', ...asksTheApi] } },
      { test: { ...usual, name: 'cell', include: asksTheApi } },
      { test: { ...usual, name: 'front', include: asksTheApi, exclude: ofTheCellAlone, env: { MUSTER_TEST_THROUGH: 'front' } } },
    ],
  },
});
