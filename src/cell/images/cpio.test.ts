import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpioArchive, type CpioEntry } from './cpio.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));

/** A reader of newc that shares nothing with the writer. */
function read(archive: Buffer): Map<string, { mode: number; bytes: Buffer }> {
  const found = new Map<string, { mode: number; bytes: Buffer }>();
  const align = (at: number) => (at + 3) & ~3;
  for (let at = 0; ;) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) => parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const entry = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    const start = align(at + 110 + nameSize);
    if (entry === 'TRAILER!!!') return found;
    found.set(entry, { mode, bytes: archive.subarray(start, start + size) });
    at = align(start + size);
  }
}

test('what is written is read back, whatever the order it came in, with every folder before what is in it', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(path, fc.uint8Array({ maxLength: 50 })), { selector: ([at]) => at }), fc.nat(), (files, seed) => {
      // A path that is also a folder of another is no set of files.
      const usable = files.filter(([at]) => !files.some(([other]) => other.startsWith(`${at}/`)));
      const entries = usable.map(([at, bytes]): CpioEntry => ({ path: at, mode: 0o644, content: { kind: 'file', bytes } }));
      const archive = cpioArchive(entries);
      const turned = entries.map((_, index) => entries[(index + seed) % entries.length]).filter((entry) => entry !== undefined);
      expect(cpioArchive(turned).equals(archive)).toBe(true);
      const found = read(archive);
      for (const [at, bytes] of usable) {
        expect(found.get(at)?.bytes.equals(bytes)).toBe(true);
        const order = [...found.keys()];
        for (let slash = at.indexOf('/'); slash > 0; slash = at.indexOf('/', slash + 1)) {
          expect(order.indexOf(at.slice(0, slash))).toBeLessThan(order.indexOf(at));
          expect(order.indexOf(at.slice(0, slash))).toBeGreaterThanOrEqual(0);
        }
      }
    }),
  );
});

test('a program that others wrote reads it: names, modes and links', () => {
  const archive = cpioArchive([
    { path: 'bin/sh', mode: 0o777, content: { kind: 'link', to: 'busybox' } },
    { path: 'bin/busybox', mode: 0o755, content: { kind: 'file', bytes: Buffer.from('x') } },
  ]);
  const listed = execFileSync('busybox', ['cpio', '-tv'], { input: archive, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  expect(listed).toMatch(/^drwxr-xr-x .* bin$/m);
  expect(listed).toMatch(/^-rwxr-xr-x .* 1 1970-01-01 00:00:00 bin\/busybox$/m);
  expect(listed).toMatch(/^lrwxrwxrwx .* bin\/sh -> busybox$/m);
});
