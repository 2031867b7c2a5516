/** docs/compatibility.md: each deliberate difference has its reason and a test that `npm test` runs. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const columns = ['what', 'MAAS', 'Muster', 'why', 'held by'];
const lines = readFileSync(join(root, 'docs/compatibility.md'), 'utf8').split('\n');
const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
const tables = lines.filter((line) => line.startsWith('|') && !line.startsWith('|---'));
const rows = tables.map(cellsOf).filter(([first]) => first !== 'what');
/** What vitest.config.ts includes. */
const tests = new Set(globSync('{src,test,ui,e2e,bench,conformance,setup}/**/*.test.{ts,tsx}', { cwd: root }));

test('there are tables, all with the same columns', () => {
  const headers = tables.map(cellsOf).filter(([first]) => first === 'what');
  expect(headers.length).toBe(lines.filter((line) => line.startsWith('## ')).length);
  for (const header of headers) expect(header).toEqual(columns);
  expect(rows.length).toBeGreaterThan(80);
});

test.each(rows)('%s', (...cells) => {
  expect(cells.length).toBe(columns.length);
  expect(cells.filter((cell) => cell === '')).toEqual([]);
  expect(cells[4]).toMatch(/^`[^`]+`$/);
  expect([...tests]).toContain(cells[4]?.slice(1, -1));
});

test('no difference is there twice', () => {
  const names = rows.map(([what]) => what);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});
