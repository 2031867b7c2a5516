import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTar } from '../sim/tar-reader.ts';
import { tar } from './tar.ts';

test('the system’s tar unpacks it: contents, modes, sizes around a block', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-tar-'));
  try {
    const sizes = [0, 1, 511, 512, 513, 70_000];
    const entries = sizes.map((size) => ({
      path: `testing/size-${size}`,
      mode: size % 2 === 0 ? 0o755 : 0o644,
      content: Buffer.alloc(size, size % 251),
    }));
    execFileSync('tar', ['-x', '-f', '-', '-C', folder], { input: tar(entries) });
    for (const { path, mode, content } of entries) {
      expect(readFileSync(join(folder, path)).equals(content), path).toBe(true);
      expect(statSync(join(folder, path)).mode & 0o777, path).toBe(mode);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('every path is either refused or comes back as it was, inside the folder', () => {
  const word = fc.oneof(
    fc.constantFrom('..', '.', '', 'a', '/etc', 'x'.repeat(99), 'ü'.repeat(50), 'ü'.repeat(51), '\0', 'a\0b', '\n'),
    fc.string({ unit: 'binary', maxLength: 120 }),
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 3 }), fc.uint8Array({ maxLength: 600 }), (words, bytes) => {
      const path = words.join('/');
      let archive: Buffer;
      try {
        archive = tar([{ path, mode: 0o644, content: Buffer.from(bytes) }]);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        return;
      }
      expect(archive.length % 512).toBe(0);
      const files = readTar(archive);
      expect([...files.keys()]).toEqual([path]);
      expect(files.get(path)!.equals(Buffer.from(bytes))).toBe(true);
    }),
    { numRuns: 500 },
  );
  for (const path of ['../x', 'a/../../x', '/etc/passwd', 'x'.repeat(101), ''])
    expect(() => tar([{ path, mode: 0o644, content: Buffer.alloc(0) }]), path).toThrow(RangeError);
});
