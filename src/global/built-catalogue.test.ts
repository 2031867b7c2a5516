import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../../test/postgres.ts';
import { Authority } from './authority.ts';
import { catalogueEntryOf, followBuiltCatalogue, readBuiltCatalogue } from './built-catalogue.ts';
import type { GlobalTables } from './db/global-tables.ts';
import { globalMigrations } from './migrations.ts';

const sha256 = 'ab'.repeat(32);
const manifest = (name: string, builtAt = '2026-08-24T10:11:12.345Z', digest = sha256) => ({
  name,
  architecture: 'amd64',
  recipe: sha256,
  key: sha256,
  builtAt,
  packages: [],
  facts: {},
  files: [{ ftype: 'root-tar.zst', sha256: digest, size: 1234 }],
});

describe('a manifest', () => {
  test('becomes a version of a boot resource', () => {
    expect(catalogueEntryOf(JSON.stringify(manifest('debian-12')))).toEqual({
      name: 'debian/12',
      architecture: 'amd64/generic',
      type: 'Uploaded',
      version: '20260824101112',
      files: { 'root-tar.zst': { filetype: 'root-tar.zst', sha256, size: 1234 } },
    });
  });

  test.each([
    ['no name', { ...manifest('x'), name: undefined }],
    ['a name without a version', manifest('debian')],
    ['a name that is a path', manifest('../debian-12')],
    ['a digest that is none', manifest('debian-12', undefined, '../../etc/passwd')],
    ['no files', { ...manifest('debian-12'), files: [] }],
    ['a file type that is a path', { ...manifest('debian-12'), files: [{ ftype: '../x', sha256, size: 1 }] }],
    ['a negative size', { ...manifest('debian-12'), files: [{ ftype: 'x', sha256, size: -1 }] }],
  ])('%s is none', (_, value) => {
    expect(catalogueEntryOf(JSON.stringify(value))).toBeUndefined();
  });

  test('no text makes it throw, and no entry names anything but digests', () => {
    const pieces = fc.record({
      name: fc.string(),
      architecture: fc.string(),
      builtAt: fc.string(),
      files: fc.array(fc.record({ ftype: fc.string(), sha256: fc.string(), size: fc.integer() })),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          pieces.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const entry = catalogueEntryOf(text);
          for (const file of Object.values(entry?.files ?? {})) expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        },
      ),
    );
  });
});

describe('an image folder', () => {
  let database: TestDatabase<GlobalTables>;
  let folder: string;
  beforeAll(async () => {
    database = await testDatabase<GlobalTables>([globalMigrations]);
    folder = await mkdtemp(join(tmpdir(), 'muster-built-'));
  });
  afterAll(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });
  const put = async (file: string, value: unknown) => {
    await mkdir(join(folder, 'manifests'), { recursive: true });
    await writeFile(join(folder, 'manifests', `${file}.new`), typeof value === 'string' ? value : JSON.stringify(value));
    await rename(join(folder, 'manifests', `${file}.new`), join(folder, 'manifests', file));
  };

  test('that is not there holds nothing', async () => {
    expect(await readBuiltCatalogue(join(folder, 'nowhere'))).toEqual([]);
  });

  test('goes into the catalogue, once; what is broken is left out', async () => {
    const authority = await Authority.open(database);
    await put('a.json', manifest('debian-12'));
    await put('b.json', manifest('muster-agent'));
    await put('c.json', '{"half":');
    await put('d.json', manifest('debian-12', '2026-09-01T00:00:00.000Z', 'cd'.repeat(32)));
    const round = async () => {
      const ending = new AbortController();
      const troubles: unknown[] = [];
      const following = followBuiltCatalogue(authority, folder, ending.signal, (error) => troubles.push(error));
      await expect
        .poll(() => authority.memory.list('boot_resource').flatMap((one) => Object.keys(one.sets)).length, { timeout: 10_000 })
        .toBe(3);
      // It sleeps now; the signal ends that too.
      ending.abort();
      await following;
      expect(troubles).toEqual([]);
    };
    await round();
    const images = authority.memory.list('boot_resource').map(({ name, sets }) => [name, Object.keys(sets)]);
    expect(images.toSorted()).toEqual([
      ['debian/12', ['20260824101112', '20260901000000']],
      ['muster/agent', ['20260824101112']],
    ]);
    const revision = authority.memory.revision('config');
    await round();
    expect(authority.memory.revision('config')).toEqual(revision);
    expect(authority.memory.list('boot_resource')).toHaveLength(2);
    expect(
      authority.memory
        .list('boot_resource')
        .map(({ name, sets }) => [name, Object.keys(sets)])
        .toSorted(),
    ).toEqual(images.toSorted());
  });
});
