import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { npmTestRuns } from '../e2e/in-npm-test.ts';

const root = join(import.meta.dirname, '..');
/** Measured: npm ci, packages, checks, unit and room tests with cold caches. */
const beforeEndToEnd = 7 * 60;

test('every listed run exists and is named once', () => {
  const names = npmTestRuns.map((run) => run.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !existsSync(join(root, `e2e/${name}.e2e.ts`)))).toEqual([]);
});

test('npm test fits into 25 minutes', () => {
  const alone = npmTestRuns.filter((run) => !run.aside).reduce((sum, run) => sum + run.seconds, 0);
  const aside = npmTestRuns.filter((run) => run.aside).map((run) => run.seconds);
  const besides = Math.max(0, ...aside, aside.reduce((sum, seconds) => sum + seconds, 0) / 2);
  expect(beforeEndToEnd + alone + besides).toBeLessThanOrEqual(25 * 60);
});
