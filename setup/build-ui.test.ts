import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pageStamp } from './build-ui.mjs';

test('the page is stale when what it is made of has changed, whatever the dates say', () => {
  const root = mkdtempSync(join(tmpdir(), 'muster-stamp-'));
  try {
    mkdirSync(join(root, 'ui/parts'), { recursive: true });
    const file = join(root, 'ui/parts/a.tsx');
    writeFileSync(file, 'one');
    const first = pageStamp(root);
    utimesSync(file, new Date(0), new Date(0));
    writeFileSync(join(root, 'ui/a.test.ts'), 'a test is no part of the page');
    expect(pageStamp(root)).toBe(first);
    writeFileSync(file, 'two');
    const second = pageStamp(root);
    expect(second).not.toBe(first);
    writeFileSync(join(root, 'package-lock.json'), '{}');
    expect(pageStamp(root)).not.toBe(second);
  } finally {
    rmSync(root, { recursive: true });
  }
});
