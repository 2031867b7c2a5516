import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asOnlyBuilder, digestOf, findBuiltImage, listBuiltImages, parseManifest, publishImage } from './built-image.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'muster-images-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const recipe = digestOf('recipe');
const image = {
  name: 'debian-12',
  architecture: 'amd64',
  recipe,
  key: digestOf('key'),
  packages: [{ name: 'a', version: '1' }],
  facts: { kernel: '/boot/vmlinuz' },
};

async function publish(text: string, key: string) {
  const path = join(folder, 'made');
  await writeFile(path, text);
  return publishImage(folder, { ...image, key: digestOf(key) }, [{ ftype: 'root-tar.zst', path }]);
}

test('a published image is found by its recipe, its file lies under its digest', async () => {
  const published = await publish('tree', 'one');
  expect(await listBuiltImages(folder)).toEqual([published]);
  const file = published.files[0];
  expect(file?.sha256).toBe('dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7b759eb8292110622');
  expect(await readFile(file?.path ?? '', 'utf8')).toBe('tree');
  expect(await findBuiltImage(folder, { name: 'debian-12', architecture: 'amd64', recipe })).toEqual(published);
  expect(await findBuiltImage(folder, { name: 'debian-12', architecture: 'amd64', recipe: digestOf('other') })).toBeUndefined();
  expect(
    await findBuiltImage(folder, { name: 'debian-12', architecture: 'amd64', recipe, key: digestOf('newer packages') }),
  ).toBeUndefined();
});

test('an image with a missing or short file is not in the catalogue, nor is a half-written manifest', async () => {
  const published = await publish('tree', 'one');
  await writeFile(published.files[0]?.path ?? '', 'tre');
  expect(await listBuiltImages(folder)).toEqual([]);
  await rm(published.files[0]?.path ?? '');
  expect(await listBuiltImages(folder)).toEqual([]);
  await writeFile(join(folder, 'manifests', 'x.json'), '{"name":"debian-12"');
  expect(await listBuiltImages(folder)).toEqual([]);
});

test('of two builds of a recipe the newer one counts', async () => {
  await publish('old', 'one');
  await sleep(5);
  const newer = await publish('new', 'two');
  expect(await findBuiltImage(folder, { name: 'debian-12', architecture: 'amd64', recipe })).toEqual(newer);
});

test('parseManifest takes no digest that could be a path, and nothing that is not JSON', () => {
  const manifest = { ...image, builtAt: 'now', files: [{ ftype: 'x', sha256: '../../etc/passwd', size: 1 }] };
  expect(parseManifest(JSON.stringify(manifest))).toBeUndefined();
  expect(parseManifest(JSON.stringify({ ...manifest, files: [{ ftype: 'x', sha256: recipe, size: 1 }] }))).toBeDefined();
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseManifest(text)).toBeUndefined();
    }),
  );
});

test('digestOf does not depend on the order of keys, and does on everything else', () => {
  const value = fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.string(), fc.integer()));
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(digestOf(Object.fromEntries(Object.entries(a).toReversed()))).toBe(digestOf(a));
      expect(digestOf(a) === digestOf(b)).toBe(
        JSON.stringify(Object.entries(a).toSorted()) === JSON.stringify(Object.entries(b).toSorted()),
      );
    }),
  );
});

test('builders of one image take turns; the scratch folder is gone afterwards, after a failure too', async () => {
  let inside = 0;
  let most = 0;
  const build = () =>
    asOnlyBuilder(folder, 'x', undefined, async (scratch) => {
      most = Math.max(most, (inside += 1));
      await writeFile(join(scratch, 'half'), '');
      await sleep(20);
      inside -= 1;
      throw new Error('failed');
    });
  const ends = await Promise.allSettled([build(), build()]);
  expect(ends.map((end) => end.status)).toEqual(['rejected', 'rejected']);
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('a builder that was killed does not hold the next one up; a living one does', async () => {
  const script = `import('${new URL('./built-image.ts', import.meta.url).pathname}').then((m) => m.asOnlyBuilder(process.argv[1], 'x', undefined, async () => { console.log('in'); await new Promise((r) => setTimeout(r, 60000)); }))`;
  const other = spawn(process.execPath, ['-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => other.stdout.once('data', resolve));
  const waiting = new AbortController();
  setTimeout(() => waiting.abort(), 700);
  await expect(asOnlyBuilder(folder, 'x', waiting.signal, () => Promise.resolve('in'))).rejects.toThrow(/abort/i);
  other.kill('SIGKILL');
  await new Promise((resolve) => other.once('close', resolve));
  expect(await asOnlyBuilder(folder, 'x', undefined, () => Promise.resolve('in'))).toBe('in');
});
