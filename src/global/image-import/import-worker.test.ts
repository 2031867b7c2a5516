// Importing from a boot source over HTTP: what comes in, what does not, and what a stop or a death in the middle leaves behind.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../../test/global-api.ts';
import { openpgpSigner } from '../../../test/openpgp-signer.ts';
import { bootSourceSite, productsPath, type BootSourceSite } from '../../../test/stream-site.ts';
import { putBuiltImage } from '../boot-catalogue.ts';
import { openUploadStore } from '../image-uploads.ts';
import { startImportWorker } from './import-worker.ts';
import { streamLimits } from './stream-site.ts';

let folder: string;
let site: BootSourceSite;
let api: GlobalApi;
let uri: string;
let key: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-import-test-'));
  api = await globalApi({ uploads: openUploadStore({ folder }) });
  site = await bootSourceSite();
  key = site.signer.armoured;
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  uri = await addSource({ keyring_data: key });
});
afterEach(async () => {
  await api.authority.write('config', 'a test', (draft) => {
    for (const kind of ['boot_source', 'boot_source_selection', 'boot_resource', 'notification', 'image_import'] as const)
      for (const [id] of draft.entries(kind)) draft.retire(kind, id);
  });
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  for (const map of [site.files, site.instead]) map.clear();
  site.asked.length = 0;
});

async function addSource(given: Record<string, string>, releases = ['12']): Promise<string> {
  const made = await api.ask('POST', 'boot-sources/', { url: site.url, name: 'here', ...given });
  expect([made.status, made.text]).toEqual([201, expect.any(String)]);
  const { resource_uri } = made.json<{ resource_uri: string }>();
  for (const release of releases) await api.ask('POST', `${resource_uri}selections/`, { os: 'debian', release });
  return resource_uri;
}

const trouble: unknown[] = [];
const worker = (more: { everySeconds?: number; leaseMs?: number } = {}) =>
  startImportWorker({
    authority: api.authority,
    uploads: openUploadStore({ folder }),
    folder,
    onTrouble: (error) => trouble.push(error),
    lookMs: 50,
    limits: { ...streamLimits, textBytes: 200_000 },
    ...more,
  });
const isImporting = async () => (await api.ask('GET', 'boot-resources/?op=is_importing')).text;
async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let turn = 0; !(await what()); turn += 1) {
    if (turn > 600) throw new Error('it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
/** Import, to the end. @returns what administrators are told. */
async function importNow(): Promise<string[]> {
  const running = worker();
  expect(await api.told('POST', 'boot-resources/?op=import')).toEqual([200, 'Import of boot resources started']);
  await until(async () => (await isImporting()) === 'false');
  await running[Symbol.asyncDispose]();
  expect(trouble).toEqual([]);
  return (await api.ask('GET', 'notifications/')).json<{ text: string }[]>().map(({ text }) => text);
}
const listed = async () =>
  (await api.ask('GET', 'boot-resources/')).json<{ id: number; name: string; type: string; architecture: string }[]>();
const versions = async () => {
  const [first] = await listed();
  return Object.keys((await api.ask('GET', `boot-resources/${first!.id}/`)).json<{ sets: object }>().sets).toSorted();
};
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const stored = async () => (await readdir(folder)).filter((name) => !name.startsWith('.'));
const debian = (version: string, bytes = randomBytes(50_000)) => ({ os: 'debian', release: '12', version, bytes });

test('what is selected and can be deployed is listed as synced, newer versions take its place, and nothing is fetched twice', async () => {
  const bytes = randomBytes(300_000);
  const ubuntu = { ...debian('20260101'), os: 'ubuntu', release: 'jammy', ftype: 'squashfs' };
  site.publish([debian('20260101', bytes), ubuntu, { ...debian('1'), release: '11' }]);
  expect(await importNow()).toEqual([]);
  expect(await listed()).toMatchObject([{ name: 'debian/12', type: 'Synced', architecture: 'amd64/generic', subarches: 'generic' }]);
  expect(await readFile(join(folder, digestOf(bytes)))).toEqual(bytes);
  expect((await api.ask('GET', 'boot-resources/', { type: 'synced' })).json<unknown[]>().length).toBe(1);
  const before = [api.authority.memory.get('boot_resource', (await listed())[0]!.id), site.asked.length];
  await importNow();
  expect([api.authority.memory.get('boot_resource', (await listed())[0]!.id), site.asked.length]).toEqual([
    before[0],
    Number(before[1]) + 2,
  ]);
  for (const version of ['20260102', '20260103', '20260104']) {
    site.publish([debian(version)]);
    await importNow();
  }
  expect(await versions()).toEqual(['20260102', '20260103', '20260104']);
  expect((await stored()).length).toBe(3);
  expect(await stored()).not.toContain(digestOf(bytes));
  // An old stream, shown again.
  site.publish([debian('20260103')]);
  await importNow();
  expect(await versions()).toEqual(['20260102', '20260103', '20260104']);
  await api.ask('POST', `${uri}selections/`, { os: 'ubuntu', release: 'jammy' });
  site.publish([debian('20260104'), ubuntu]);
  expect((await importNow())[0]).toContain('ubuntu/jammy amd64 (squashfs): no root-tar.zst in it');
  expect((await api.ask('DELETE', `boot-resources/${(await listed())[0]!.id}/`)).status).toBe(204);
  expect(await stored()).toEqual([]);
});

const tooLong = (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('more')]);
type Break = (path: string) => Promise<unknown> | void;
const index = 'streams/v1/index.sjson';
const set = (path: string, change: (bytes: Buffer) => Buffer) => void site.files.set(path, change(site.files.get(path)!));
const broken: readonly [string, string, Break][] = [
  ['signed by somebody else', 'a key that is not in its keyring', () => set(index, () => Buffer.from(openpgpSigner().clearsign('{}')))],
  [
    'changed after it was signed',
    'its signature is wrong',
    () => set(productsPath, (text) => Buffer.from(text.toString().replace('debian', 'Debian'))),
  ],
  ['unsigned', 'its text is not signed', () => set(index, () => site.files.get('streams/v1/index.json')!)],
  [
    'an unsigned list of products',
    'it is not signed',
    () => set(index, () => Buffer.from(site.signer.clearsign('{"format":"index:1.0","index":{"a":{"path":"streams/v1/products.json"}}}'))),
  ],
  ['cut off', 'the signature is missing', () => set(index, (text) => text.subarray(0, text.length - 200))],
  ['a list that is too large', 'more than 200000 bytes', () => set(productsPath, () => Buffer.alloc(300_000, 'x'))],
  ['no index', 'it answered 404', () => void site.files.delete(index)],
  ['a file with other bytes', 'do not have the digest', (path) => set(path, (bytes) => randomBytes(bytes.length))],
  ['a file that is too long', 'more than the 50000 bytes', (path) => set(path, tooLong)],
  ['a file that is too short', 'ended after 100 of 50000', (path) => set(path, (bytes) => bytes.subarray(0, 100))],
  [
    'a file that breaks off',
    'root.tar.zst',
    (path) => void site.instead.set(path, (_request, response) => void (response.write('x'), setTimeout(() => response.destroy(), 20))),
  ],
  [
    'a redirect elsewhere',
    'it redirects to http://evil.example',
    (path) =>
      void site.instead.set(path, (_request, response) => void response.writeHead(302, { location: 'http://evil.example/x' }).end()),
  ],
  [
    'redirects without end',
    'more than 3 times',
    (path) => void site.instead.set(path, (_request, response) => void response.writeHead(302, { location: `/${path}` }).end()),
  ],
  ['no keyring', 'it has no keyring', () => api.ask('PUT', uri, { keyring_data: '' })],
  [
    'a keyring that is not there',
    'cannot be read',
    () => api.ask('PUT', uri, { keyring_data: '', keyring_filename: '/nowhere/keyring.gpg' }),
  ],
];
test.each(broken)('%s: administrators are told, and everything is as it was', async (_what, text, breakIt) => {
  site.publish([debian('20260101')]);
  await importNow();
  const before = [await listed(), await stored()];
  const [path] = site.publish([debian('20260102')]);
  await breakIt(path!);
  const told = await importNow();
  expect(told).toEqual([expect.stringContaining(text)]);
  expect(told[0]).toContain('Images of the boot source here');
  expect([await listed(), await stored()]).toEqual(before);
  expect(await versions()).toEqual(['20260101']);
});

test('a notification goes when the source works again; a source that need not be signed works without', async () => {
  site.publish([debian('20260101')]);
  await api.ask('PUT', uri, { keyring_data: '' });
  expect((await importNow()).length).toBe(1);
  const [first] = api.authority.memory.list('notification');
  await importNow();
  expect(api.authority.memory.list('notification')).toEqual([first]);
  await api.ask('PUT', uri, { skip_keyring_verification: 'true' });
  expect(await importNow()).toEqual([]);
  expect((await listed()).length).toBe(1);
});

/** A file that stops after its first half until it is let go on. */
function halfway(path: string): void {
  const bytes = site.files.get(path)!;
  site.instead.set(path, (request, response) => {
    if (request.headers.range !== undefined) return;
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 30_000));
  });
}
const partial = async (): Promise<number> => {
  const [name] = await readdir(join(folder, '.importing')).catch(() => []);
  return name === undefined ? 0 : (await stat(join(folder, '.importing', name))).size;
};

test('stopped in the middle: nothing is listed; the next import goes on', async () => {
  const tree = debian('20260101');
  const [path] = site.publish([tree]);
  halfway(path!);
  await using _running = worker();
  await api.ask('POST', 'boot-resources/?op=import');
  await until(async () => (await partial()) === 30_000);
  expect([await isImporting(), (await api.ask('GET', 'boot-resources/?op=is_importing', undefined, { joined: true })).text]).toEqual([
    'true',
    'true',
  ]);
  const revision = api.authority.memory.revision('config');
  // Asked for once more: the one that goes on is that one.
  expect(await api.told('POST', 'boot-resources/?op=import')).toEqual([200, 'Import of boot resources started']);
  expect(api.authority.memory.revision('config')).toEqual(revision);
  expect(await api.told('POST', 'boot-resources/?op=stop_import')).toEqual([200, 'Import of boot resources stopped']);
  expect([await isImporting(), await listed(), await stored()]).toEqual(['false', [], []]);
  expect(await api.told('POST', 'boot-resources/?op=stop_import')).toEqual([200, 'Import of boot resources stopped']);
  site.instead.clear();
  await api.ask('POST', 'boot-resources/?op=import');
  await until(async () => (await listed()).length === 1);
  expect(site.asked.filter((one) => one.startsWith(path!))).toEqual([path, `${path} bytes=30000-`]);
  expect(await readFile(join(folder, digestOf(tree.bytes)))).toEqual(tree.bytes);
});

test('a process that dies in the middle: another one imports the rest, even from a file that was damaged', async () => {
  const tree = debian('20260101');
  const [path] = site.publish([tree]);
  halfway(path!);
  const first = worker();
  await api.ask('POST', 'boot-resources/?op=import');
  await until(async () => (await partial()) === 30_000);
  await first[Symbol.asyncDispose]();
  expect([await isImporting(), await listed()]).toEqual(['true', []]);
  await writeFile(join(folder, '.importing', digestOf(tree.bytes)), randomBytes(30_000));
  site.instead.clear();
  // It died without a word: its lease must run out first.
  await api.authority.db
    .updateTable('image_import_lease')
    .set({ holder: 'dead', until: new Date(Date.now() + 300) })
    .execute();
  await using _second = worker();
  await until(async () => (await isImporting()) === 'false');
  expect(await readFile(join(folder, digestOf(tree.bytes)))).toEqual(tree.bytes);
  expect(site.asked.filter((one) => one.startsWith(path!))).toEqual([path, `${path} bytes=30000-`, path]);
  expect((await listed()).length).toBe(1);
});

test('what was uploaded or built is not replaced, and what is imported is not replaced by what is built', async () => {
  const built = (name: string, version: string) =>
    putBuiltImage(api.authority, 'a test', {
      name,
      architecture: 'amd64/generic',
      type: 'Uploaded',
      version,
      files: { 'root-tar.zst': { filetype: 'root-tar.zst', sha256: 'd'.repeat(64), size: 1 } },
    });
  await built('debian/12', '20250101');
  site.publish([debian('20260101')]);
  expect((await importNow())[0]).toContain('debian/12 amd64/generic: one was uploaded or built here');
  expect(await versions()).toEqual(['20250101']);
  await api.ask('DELETE', `boot-resources/${(await listed())[0]!.id}/`);
  await importNow();
  expect(await built('debian/12', '20270101')).toBeUndefined();
  expect([(await listed()).map(({ type }) => type), await versions()]).toEqual([['Synced'], ['20260101']]);
});

test('of two sources the one with the higher priority counts, and one that fails is not replaced by the other', async () => {
  site.publish([debian('20260101')]);
  await using other = await bootSourceSite();
  other.publish([debian('20270101')]);
  const second = await addSource({ url: other.url, keyring_data: other.signer.armoured, priority: '5' });
  await importNow();
  expect(await versions()).toEqual(['20270101']);
  other.files.delete(index);
  expect((await importNow()).length).toBe(1);
  expect(await versions()).toEqual(['20270101']);
  await api.ask('DELETE', second);
  expect(await importNow()).toEqual([]);
  expect(await versions()).toEqual(['20260101']);
});

test('by itself when the last import was long ago, unless the setting says no', async () => {
  site.publish([debian('20260101')]);
  await api.ask('POST', 'maas/?op=set_config', { name: 'boot_images_auto_import', value: 'false' });
  await using _running = worker({ everySeconds: 0.05 });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(site.asked).toEqual([]);
  await api.ask('POST', 'maas/?op=set_config', { name: 'boot_images_auto_import', value: 'true' });
  await until(async () => (await listed()).length === 1);
});

test('importing is for administrators, and a joined cell sends to the hub', async () => {
  const ann = await api.person('ann');
  for (const op of ['import', 'stop_import']) {
    expect((await api.ask('POST', `boot-resources/?op=${op}`, {}, { key: ann })).status).toBe(403);
    expect((await api.ask('POST', `boot-resources/?op=${op}`, {}, { key: '' })).status).toBe(401);
    expect((await api.ask('POST', `boot-resources/?op=${op}`, {}, { joined: true })).status).toBe(409);
  }
  expect((await api.ask('GET', 'boot-resources/?op=is_importing', undefined, { key: ann })).text).toBe('false');
});
