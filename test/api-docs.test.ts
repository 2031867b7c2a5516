import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('docs/api.md is what npm run api-docs writes out of the routes table', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-api-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'api.md');
  execFileSync(process.execPath, [join(root, 'setup/write-api-docs.mjs'), file]);
  const isSame = readFileSync(file, 'utf8') === readFileSync(join(root, 'docs/api.md'), 'utf8');
  expect(isSame ? '' : 'docs/api.md is old: npm run api-docs').toBe('');
});
