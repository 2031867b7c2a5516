import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTar } from './tar-reader.ts';

/** What the system's tar makes of these files. */
function made(files: Readonly<Record<string, string>>): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tar-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return execFileSync('tar', ['--format=ustar', '-c', '-C', folder, '.'].map((word) => (word === '.' ? '.' : word)).concat(), {
      maxBuffer: 1 << 24,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('reads what tar writes', () => {
  const files = readTar(made({ 'index.tsv': 'a\tb\n', 'commissioning/50-x': '#!/bin/sh\n'.repeat(100), empty: '' }));
  expect(new Map([...files].map(([path, bytes]) => [path.replace(/^\.\//, ''), bytes.toString()]))).toEqual(
    new Map([
      ['index.tsv', 'a\tb\n'],
      ['commissioning/50-x', '#!/bin/sh\n'.repeat(100)],
      ['empty', ''],
    ]),
  );
});

test('a damaged archive is an error', () => {
  const good = made({ a: 'x'.repeat(600) });
  expect(() => readTar(good.subarray(0, 700))).toThrow(/ends/);
  const bad = Buffer.from(good);
  bad[0] = (bad[0] ?? 0) ^ 1;
  expect(() => readTar(bad)).toThrow(/checksum/);
});

test('any bytes are files or an error, never more', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
      try {
        readTar(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});

test('a flipped bit anywhere is files or an error', () => {
  const good = made({ a: 'x'.repeat(600), 'b/c': 'y' });
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ (1 << bit);
      try {
        for (const path of readTar(bad).keys()) expect(path.split('/')).not.toContain('..');
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
