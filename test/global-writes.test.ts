// Global things written through the front: a custom image goes into the hub's store in chunks and from there to a cell that has joined, by
// its digest; scripts and sources are at the cell when the reply comes. A cell that stands alone keeps it all itself.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Default } from 'typebox/value';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrationsOfCell } from '../src/cell/cell-database.ts';
import { initCell, startCell } from '../src/cell/cell.ts';
import { CellConfig } from '../src/cell/config.ts';
import { imageCatalogue } from '../src/cell/image-catalogue.ts';
import { hubImages, openImageStore } from '../src/cell/images/store.ts';
import { oauthHeader } from '../src/http/oauth.ts';
import { testDatabase } from './postgres.ts';
import { freePort, log, SmallFleet } from './small-fleet.ts';
import { bootSourceSite } from './stream-site.ts';

const megabyte = 1 << 20;
let fleet: SmallFleet;
let folder: string;
beforeAll(async () => {
  fleet = await SmallFleet.open();
  folder = await mkdtemp(join(tmpdir(), 'muster-global-writes-test-'));
}, 60_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** As the `maas` CLI does it: ask for room, then chunks of 4 MiB to where it was told. Returns the resource's id. */
async function upload(url: string, key: string, name: string, bytes: Buffer): Promise<number> {
  const headers = () => ({ authorization: oauthHeader(key) });
  const fields = { name, architecture: 'amd64/generic', sha256: digestOf(bytes), size: String(bytes.length) };
  const begun = await fetch(`${url}/MAAS/api/2.0/boot-resources/`, {
    method: 'POST',
    headers: headers(),
    body: new URLSearchParams(fields),
  });
  expect(begun.status).toBe(201);
  const { id, sets } = (await begun.json()) as { id: number; sets: Record<string, { files: Record<string, { upload_uri: string }> }> };
  const { upload_uri } = Object.values(Object.values(sets)[0]!.files)[0]!;
  for (let at = 0; at < bytes.length; at += 4 * megabyte) {
    const chunk = bytes.subarray(at, at + 4 * megabyte);
    const send = async (more: Record<string, string>) => {
      const sent = { ...headers(), 'content-type': 'application/octet-stream', ...more };
      const reply = await fetch(url + upload_uri, { method: 'PUT', headers: sent, body: new Uint8Array(chunk) });
      return [reply.status, await reply.text()];
    };
    expect(await send({})).toEqual([200, 'OK']);
    // Its reply was lost: once more, by its place.
    expect(await send({ 'content-range': `bytes ${at}-${at + chunk.length - 1}/${bytes.length}` })).toEqual([200, 'OK']);
  }
  return id;
}

test('through the front to the hub, from the hub to a cell', async () => {
  const { cell, place } = await fleet.openCell('north');
  const front = await fleet.openFront('f1');
  const bytes = randomBytes(9 * megabyte + 12_345);
  const id = await upload(front.url, fleet.admin.apiKey, 'appliance', bytes);
  const client = fleet.client(front.url);
  expect(await client.call('BootResource.read', { id: String(id) }, {})).toMatchObject({ name: 'custom/appliance', type: 'Uploaded' });
  // The reply to the last chunk said that the cell knows it.
  const { fromHub, reader } = cell.global;
  expect(reader.named('boot_resource', 'custom/appliance')?.id).toBe(id);

  const store = await openImageStore({ folder: join(place.config.folder, 'images'), fromHub: fromHub! });
  const catalogue = imageCatalogue(reader, store, [hubImages]);
  expect(catalogue.find('appliance', 'amd64/generic')).toMatchObject({ name: 'custom/appliance', sha256: digestOf(bytes) });
  await catalogue.fetch(digestOf(bytes), AbortSignal.timeout(20_000));
  expect((await readFile(join(place.config.folder, 'images', digestOf(bytes)))).equals(bytes)).toBe(true);

  // Nobody but cells and fronts is given files, and nothing but files.
  const image = `${fleet.hub.plainUrl}/replica/images/${digestOf(bytes)}/root-tar.zst`;
  expect((await fetch(image)).status).toBe(401);
  expect((await fetch(image, { headers: { authorization: oauthHeader(fleet.admin.apiKey) } })).status).toBe(403);
  await expect(fromHub!(`/replica/images/${'0'.repeat(64)}/x`, {})).rejects.toThrow('the hub answered 404');
  await expect(fromHub!('/replica/images/..%2Fsigning-key.pem/x', {})).rejects.toThrow('the hub answered 404');

  await client.call('BootResource.delete', { id: String(id) }, {});
  expect(catalogue.find('appliance', 'amd64/generic')).toBeUndefined();
  await expect(fromHub!(`/replica/images/${digestOf(bytes)}/x`, {})).rejects.toThrow('the hub answered 404');
});

test('an import asked for at the front is carried out by the hub, and seen by all', async () => {
  await using site = await bootSourceSite();
  site.publish([{ os: 'debian', release: '12', version: '20260101', bytes: randomBytes(100_000) }]);
  const { cell } = await fleet.openCell('east');
  const client = fleet.client((await fleet.openFront('f3')).url);
  const source = await client.call('BootSources.create', {}, { url: site.url, keyring_data: site.signer.armoured });
  await client.call('BootSourceSelections.create', { boot_source_id: String(source.id) }, { os: 'debian', release: '12' });
  await client.call('BootResources.import', {}, {});
  for (let turn = 0; await client.call('BootResources.is_importing', {}, {}); turn += 1) {
    if (turn > 400) throw new Error('the import never ended');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const [image] = (await client.call('BootResources.read', {}, { type: 'synced' })).map(({ name }) => name);
  expect(image).toBe('debian/12');
  // The cell hears of the end a moment after the front.
  await expect.poll(() => cell.global.reader.get('image_import', 'images'), { timeout: 10_000 }).toBeUndefined();
});

test('scripts, boot sources and package repositories: written at the hub, read at the cell, by any URL of the front', async () => {
  const { cell } = await fleet.openCell('west');
  const front = await fleet.openFront('f2');
  const client = fleet.client(front.url);
  // As the `maas` CLI sends `script@=file`: a part in base64.
  const part = (name: string, more: string, value: string) =>
    `--edge\r\nContent-Disposition: form-data; name="${name}"${more}\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from(value).toString('base64')}\r\n`;
  const script = '#!/bin/sh\necho ünïcode\n';
  const reply = await fetch(`${front.url}/cell/west/MAAS/api/2.0/scripts/`, {
    method: 'POST',
    headers: { authorization: oauthHeader(fleet.admin.apiKey), 'content-type': 'multipart/form-data; boundary="edge"' },
    body: `${part('name', '', 'greet')}${part('type', '', 'commissioning')}${part('script', '; filename="script"', script)}--edge--\r\n`,
  });
  expect([reply.status, (await reply.json()) as object]).toEqual([200, expect.objectContaining({ name: 'greet', type: 0 })]);
  expect(cell.global.reader.named('script', 'greet')?.script).toBe(script);
  await client.call('NodeScript.update', { name: 'greet' }, { script: '#!/bin/sh\n', comment: 'shorter' });
  const atCell = fleet.client(cell.url);
  expect((await atCell.call('NodeScript.read', { name: 'greet' }, {})).history.map(({ comment }) => comment)).toEqual(['shorter', null]);
  await client.call('NodeScript.revert', { name: 'greet' }, { to: -1 });
  const downloaded = await fetch(`${cell.url}/MAAS/api/2.0/scripts/greet?op=download`, {
    headers: { authorization: oauthHeader(fleet.admin.apiKey) },
  });
  expect(await downloaded.text()).toBe(script);
  await expect(atCell.call('NodeScript.delete', { name: 'greet' }, {})).rejects.toMatchObject({ code: 'hub_owned' });
  await client.call('NodeScript.delete', { name: 'greet' }, {});
  await expect(atCell.call('NodeScript.read', { name: 'greet' }, {})).rejects.toMatchObject({ status: 404 });

  const source = await client.call('BootSources.create', {}, { url: 'https://images.example/' });
  const below = { boot_source_id: String(source.id) };
  await client.call('BootSourceSelections.create', below, { os: 'debian', release: '12' });
  expect(await atCell.call('BootSourceSelections.read', below, {})).toMatchObject([
    { os: 'debian', release: '12', boot_source_id: source.id },
  ]);
  await client.call('PackageRepositories.create', {}, { name: 'ours', url: 'https://packages.example/' });
  expect((await atCell.call('PackageRepositories.read', {}, {})).map(({ name }) => name)).toEqual(['ours']);
});

test('a cell that stands alone keeps its own and boots machines from it', async () => {
  const database = await testDatabase(migrationsOfCell);
  const port = await freePort();
  const home = join(folder, 'alone');
  await mkdir(home);
  const config = Default(CellConfig, { name: 'alone', folder: home, database_url: database.url, port, tftp_port: 0 }) as CellConfig;
  const admin = (await initCell(config, log, 'admin'))!;
  {
    await using cell = await startCell({ config, version: '0', log, checkReplies: true });
    const bytes = randomBytes(300_000);
    await upload(cell.url, admin.apiKey, 'local/1', bytes);
    const served = await fetch(`${cell.url}/boot/file/${digestOf(bytes)}/root-tar.zst`);
    expect(Buffer.from(await served.arrayBuffer()).equals(bytes)).toBe(true);
  }
  await database.drop();
});
