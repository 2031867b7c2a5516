import { expect, test } from 'vitest';
import type { BodyOf } from '../global/kinds.ts';
import { GlobalMemory } from '../global/memory.ts';
import { imageCatalogue } from './image-catalogue.ts';
import type { ImageStore } from './images/store.ts';

type Resource = BodyOf<'boot_resource'>;
const digest = (letter: string): string => letter.repeat(64);
const resource = (
  id: number,
  name: string,
  versions: Readonly<Record<string, Readonly<Record<string, string>>>>,
  architecture = 'amd64/generic',
): Resource =>
  ({
    id,
    name,
    architecture,
    type: 'Uploaded',
    sets: Object.fromEntries(
      Object.entries(versions).map(([version, files]) => [
        version,
        {
          version,
          size: 1,
          label: 'built',
          complete: true,
          files: Object.fromEntries(
            Object.entries(files).map(([filetype, sha256]) => [
              filetype,
              { filename: filetype, filetype, sha256, size: 7, complete: true },
            ]),
          ),
        },
      ]),
    ),
  }) as unknown as Resource;

function catalogueOf(resources: readonly Resource[], setting?: string) {
  const memory = new GlobalMemory();
  const revision = { epoch: 1, n: 1 };
  const documents = resources.map((body) => ({
    kind: 'boot_resource' as const,
    id: String(body.id),
    stream: 'config' as const,
    revision,
    retired: false,
    body,
  }));
  memory.apply({ stream: 'config', to: revision, whole: false, documents });
  if (setting !== undefined) {
    const next = { epoch: 1, n: 2 };
    memory.apply({
      stream: 'config',
      to: next,
      whole: false,
      documents: [
        {
          kind: 'setting',
          id: 'default_distro_series',
          stream: 'config',
          revision: next,
          retired: false,
          body: { value: setting } as BodyOf<'setting'>,
        },
      ],
    });
  }
  const asked: unknown[] = [];
  const store = { fetch: (file: unknown) => Promise.resolve(void asked.push(file)) } as unknown as ImageStore;
  return { catalogue: imageCatalogue(memory, store, ['http://hub/store', 'http://site']), asked };
}

const agent = resource(1, 'muster/agent', { '20260101': { 'boot-kernel': digest('1'), 'boot-initrd': digest('2') } });
const debian = resource(2, 'debian/12', { '20260101': { 'root-tar.zst': digest('3') }, '20260301': { 'root-tar.zst': digest('4') } });
const other = resource(3, 'debian/13', { '20260101': { 'root-tar.zst': digest('5') } });
const arm = resource(4, 'debian/12', { '20260101': { 'root-tar.zst': digest('6') } }, 'arm64/generic');

test('a name in full or its release, of the machine’s architecture, in its newest version; never the agent', () => {
  const { catalogue } = catalogueOf([agent, debian, other, arm]);
  expect(catalogue.find('debian/12', 'amd64/generic')).toMatchObject({ name: 'debian/12', sha256: digest('4'), cloud_init: true });
  expect(catalogue.find('12', 'amd64')?.sha256).toBe(digest('4'));
  expect(catalogue.find('debian/12', 'arm64/generic')?.sha256).toBe(digest('6'));
  for (const none of ['muster/agent', 'agent', 'debian', 'debian/11', '', '__proto__'])
    expect(catalogue.find(none, 'amd64/generic'), none).toBeUndefined();
  expect(catalogue.find('debian/13', 'arm64/generic')).toBeUndefined();
});

test('what is deployed when nobody says: the setting, else the first there is; without images nothing', () => {
  expect(catalogueOf([agent, debian, other], '13').catalogue.fallback('amd64/generic')?.name).toBe('debian/13');
  expect(catalogueOf([agent, debian, other], 'nonesuch').catalogue.fallback('amd64/generic')?.name).toBe('debian/12');
  expect(catalogueOf([agent]).catalogue.fallback('amd64/generic')).toBeUndefined();
  expect(catalogueOf([agent]).catalogue.agent('amd64')).toMatchObject({ kernel: { sha256: digest('1') }, initrd: { sha256: digest('2') } });
  expect(catalogueOf([debian]).catalogue.agent('amd64')).toBeUndefined();
});

test('only a file of the catalogue is fetched, from every source, with digest and size', async () => {
  const { catalogue, asked } = catalogueOf([agent, debian]);
  const { signal } = new AbortController();
  await catalogue.fetch(digest('4'), signal);
  expect(asked).toMatchObject([
    {
      sha256: digest('4'),
      size: 7,
      exact: true,
      urls: [`http://hub/store/${digest('4')}/root-tar.zst`, `http://site/${digest('4')}/root-tar.zst`],
    },
  ]);
  await expect(catalogue.fetch(digest('9'), signal)).rejects.toThrow('no image of the catalogue has the file 999999999999…');
});
