// Uploading an image in chunks: it is in the catalogue when all of it is here and has the digest that was promised, and not before.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../test/global-api.ts';
import { putBuiltImage } from './boot-catalogue.ts';
import { chunkStart } from './content-range.ts';
import { openUploadStore, type UploadStore } from './image-uploads.ts';

let folder: string;
let store: UploadStore;
let api: GlobalApi;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-uploads-test-'));
  store = openUploadStore({ folder, most: 3 });
  api = await globalApi({ uploads: store });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

interface Resource {
  readonly id: number;
  readonly name: string;
  readonly sets: Record<
    string,
    { complete: boolean; files: Record<string, { complete: boolean; upload_uri?: string; received?: number }> }
  >;
}

const fileOf = (resource: Resource) => Object.values(Object.values(resource.sets).at(-1)!.files)[0]!;

async function begin(name: string, bytes: Buffer, more: Record<string, string> = {}): Promise<Resource> {
  const given = { name, architecture: 'amd64', sha256: digestOf(bytes), size: String(bytes.length), ...more };
  const reply = await api.ask('POST', 'boot-resources/', given);
  expect([reply.status, reply.status === 201 ? '' : reply.text]).toEqual([201, '']);
  return reply.json<Resource>();
}
const send = (resource: Resource, chunk: Buffer, headers: Record<string, string> = {}) =>
  api.ask('PUT', fileOf(resource).upload_uri!, chunk, { headers });
const names = async () => (await api.ask('GET', 'boot-resources/')).json<Resource[]>().map(({ name }) => name);

test('in chunks, seen only when whole', async () => {
  const bytes = randomBytes(100_000);
  const resource = await begin('edge', bytes, { title: 'Edge', base_image: 'ubuntu/jammy' });
  expect(resource).toMatchObject({
    name: 'custom/edge',
    architecture: 'amd64/generic',
    type: 'Uploaded',
    title: 'Edge',
    base_image: 'ubuntu/jammy',
  });
  expect(fileOf(resource)).toMatchObject({ complete: false, received: 0, progress: 0, filename: 'root-tar.zst' });
  for (let at = 0; at < bytes.length; at += 30_000) {
    expect(await names()).toEqual([]);
    expect((await api.ask('GET', `boot-resources/${resource.id}/`)).status).toBe(404);
    const reply = await send(resource, bytes.subarray(at, at + 30_000));
    expect([reply.status, reply.text]).toEqual([200, 'OK']);
  }
  expect(await names()).toEqual(['custom/edge']);
  const whole = (await api.ask('GET', `boot-resources/${resource.id}/`)).json<Resource>();
  expect(fileOf(whole)).toEqual({
    filename: 'root-tar.zst',
    filetype: 'root-tar.zst',
    sha256: digestOf(bytes),
    size: 100_000,
    complete: true,
  });
  expect(await readFile(join(folder, digestOf(bytes)))).toEqual(bytes);
  // The reply to the last chunk was lost: the client sends it again, or begins again.
  expect((await send(resource, bytes.subarray(90_000))).text).toBe('OK');
  expect(fileOf(await begin('edge', bytes))).toMatchObject({ complete: true });
  expect((await api.ask('GET', `boot-resources/${resource.id}/`)).json<Resource>()).toEqual(whole);
});

test('an upload that broke off goes on where it was, in another process too', async () => {
  const bytes = randomBytes(50_000);
  const first = await begin('resumed', bytes);
  await send(first, bytes.subarray(0, 20_000));
  // The process dies after it has written, before it has noted so.
  const data = join(folder, '.uploads', fileOf(first).upload_uri!.split('/').at(-2)!, 'data');
  await writeFile(data, Buffer.concat([await readFile(data), Buffer.from('garbage')]));
  const again = await begin('resumed', bytes);
  expect([again.id, fileOf(again).received]).toEqual([first.id, 20_000]);
  const other = openUploadStore({ folder });
  const upload = (await other.list()).find((one) => one.name === 'custom/resumed')!;
  await other.append(upload.id, bytes.subarray(20_000, 35_000));
  // Sent twice, by its place, and a gap.
  const range = (from: number, to: number) => ({ 'content-range': `bytes ${from}-${to - 1}/50000` });
  expect((await send(first, bytes.subarray(30_000, 40_000), range(30_000, 40_000))).status).toBe(200);
  expect((await send(first, bytes.subarray(45_000), range(45_000, 50_000))).text).toBe('The next byte is 40000, not 45000.');
  expect((await send(first, bytes.subarray(40_000), range(40_000, 49_000))).status).toBe(400);
  expect((await send(first, bytes.subarray(40_000), range(40_000, 50_000))).status).toBe(200);
  expect(await readFile(join(folder, digestOf(bytes)))).toEqual(bytes);
  expect(await names()).toContain('custom/resumed');
});

test('died between the file and the catalogue: beginning again finishes it', async () => {
  const bytes = randomBytes(1_000);
  await begin('halfway', bytes);
  const { id } = (await store.list()).find((one) => one.name === 'custom/halfway')!;
  await store.append(id, bytes);
  expect(await names()).not.toContain('custom/halfway');
  expect(fileOf(await begin('halfway', bytes))).toMatchObject({ complete: true });
  expect(await names()).toContain('custom/halfway');
});

test('other bytes than were promised are thrown away, and nothing is listed', async () => {
  const bytes = randomBytes(1_000);
  const resource = await begin('forged', bytes);
  const bad = await send(resource, randomBytes(1_000));
  expect([bad.status, bad.json()]).toEqual([400, { sha256: [expect.stringContaining('does not match given SHA256')] }]);
  expect((await send(resource, bytes)).status).toBe(404);
  expect(await names()).not.toContain('custom/forged');
  await expect(stat(join(folder, digestOf(bytes)))).rejects.toThrow('ENOENT');
  const second = await begin('forged', bytes);
  expect((await send(second, Buffer.concat([bytes, Buffer.from('x')]))).text).toBe('Too much data: 1001 bytes of 1000.');
  expect((await send(second, bytes)).status).toBe(200);
});

test('bounded: uploads at once, sizes, room', async () => {
  const waiting = await Promise.all([1, 2, 3].map((n) => begin(`waiting-${n}`, randomBytes(100 + n))));
  const fields = (size: number) => ({ name: 'one-more', architecture: 'amd64', sha256: 'a'.repeat(64), size: String(size) });
  expect((await api.ask('POST', 'boot-resources/', fields(10))).status).toBe(429);
  expect((await api.ask('POST', 'boot-resources/', fields(2 ** 40))).status).toBe(400);
  expect((await api.ask('PUT', fileOf(waiting[0]!).upload_uri!, Buffer.alloc((4 << 20) + 1))).status).toBe(413);
  // What stood still for a day makes room.
  for (const resource of waiting) {
    const old = new Date(Date.now() - 25 * 3_600_000);
    await utimes(join(folder, '.uploads', fileOf(resource).upload_uri!.split('/').at(-2)!), old, old);
  }
  const made = await begin('one-more', randomBytes(10));
  expect((await send(waiting[0]!, randomBytes(1))).status).toBe(404);
  expect((await send(made, randomBytes(11))).status).toBe(400);
});

test('a new version takes over, few are kept, and files that nothing names go', async () => {
  const versions = Array.from({ length: 5 }, () => randomBytes(500));
  for (const bytes of versions) await send(await begin('rolling/1', bytes), bytes);
  const resource = api.authority.memory.named('boot_resource', 'rolling/1')!;
  expect(Object.keys(resource.sets)).toHaveLength(3);
  const isHere = (bytes: Buffer) =>
    stat(join(folder, digestOf(bytes))).then(
      () => true,
      () => false,
    );
  expect(await Promise.all(versions.map(isHere))).toEqual([false, false, true, true, true]);
  // Another image has the newest file as well.
  await begin('shares/1', versions[4]!);
  expect((await api.ask('DELETE', `boot-resources/${resource.id}/`)).status).toBe(204);
  expect((await api.ask('DELETE', `boot-resources/${resource.id}/`)).status).toBe(404);
  expect(await Promise.all(versions.map(isHere))).toEqual([false, false, false, false, true]);
});

test('a built image that was retired stays so until it is built anew; the ephemeral environment stays', async () => {
  const entry = (version: string) => ({
    name: 'debian/12',
    architecture: 'amd64/generic',
    type: 'Uploaded' as const,
    version,
    files: { 'root-tar.zst': { filetype: 'root-tar.zst', sha256: 'b'.repeat(64), size: 1 } },
  });
  const id = await putBuiltImage(api.authority, 'test', entry('20260101'));
  expect((await api.ask('DELETE', `boot-resources/${id}/`)).status).toBe(204);
  expect(await putBuiltImage(api.authority, 'test', entry('20260101'))).toBeUndefined();
  expect(await putBuiltImage(api.authority, 'test', entry('20260202'))).toBeGreaterThan(id!);
  const agent = await putBuiltImage(api.authority, 'test', { ...entry('1'), name: 'muster/agent' });
  expect((await api.ask('DELETE', `boot-resources/${agent}/`)).status).toBe(400);
});

test.each([
  [{ name: 'muster/agent' }, 400],
  [{ name: '../etc' }, 400],
  [{ architecture: 'vax' }, 400],
  [{ filetype: 'tgz' }, 400],
  [{ sha256: 'short' }, 400],
  [{ size: '0' }, 400],
])('%j is refused', async (fields, status) => {
  const usual = { name: 'fine', architecture: 'amd64', sha256: 'c'.repeat(64), size: '10' };
  expect((await api.ask('POST', 'boot-resources/', { ...usual, ...fields })).status).toBe(status);
});

test('a joined cell names the hub; a stranger gets nowhere', async () => {
  const given = { name: 'x', architecture: 'amd64', sha256: 'd'.repeat(64), size: '1' };
  expect((await api.ask('POST', 'boot-resources/', given, { joined: true })).headers['muster-error']).toBe('hub_owned');
  expect((await api.ask('PUT', 'boot-resources/1/upload/1/', Buffer.from('x'), { joined: true })).headers['muster-error']).toBe(
    'hub_owned',
  );
  expect((await api.ask('PUT', 'boot-resources/1/upload/1/', Buffer.from('x'), { key: '' })).status).toBe(401);
});

describe('outside bytes', () => {
  test('any header is a place in the file, nothing, or malformed', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^bytes \d{0,20}-\d{0,20}\/(\d{0,20}|\*)$/)),
        fc.nat(5_000_000),
        fc.nat(5_000_000),
        (header, length, size) => {
          const start = chunkStart(header, length, size);
          if (typeof start === 'number') {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(start + length).toBeLessThanOrEqual(size);
          } else expect(start).toBe('malformed');
        },
      ),
    );
    expect(chunkStart('bytes 10-19/100', 10, 100)).toBe(10);
    expect(chunkStart('bytes 10-19/*', 10, 100)).toBe(10);
    expect(chunkStart(undefined, 10, 100)).toBeUndefined();
  });

  // However the bytes are cut, repeated and ordered: the file is whole and right, or there is none.
  test('any order of any chunks', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.record({ at: fc.option(fc.nat(220), { nil: undefined }), length: fc.nat(120), isForged: fc.boolean() }), {
          maxLength: 12,
        }),
        async (content, chunks) => {
          const bytes = Buffer.concat([Buffer.from(content), Buffer.from(String((count += 1)))]);
          const resource = await begin(`cut-${count}`, bytes);
          for (const { at, length, isForged } of chunks) {
            const place = at ?? 0;
            const chunk = isForged ? randomBytes(length) : bytes.subarray(place, place + length);
            const header = at === undefined ? {} : { 'content-range': `bytes ${place}-${place + chunk.length - 1}/${bytes.length}` };
            expect([200, 400, 404]).toContain((await send(resource, chunk, header)).status);
          }
          const upload = (await store.list()).find((one) => one.id === Number(fileOf(resource).upload_uri!.split('/').at(-2)));
          if (upload && !upload.done) {
            const rest = await send(resource, bytes.subarray(upload.received), {});
            expect([200, 400]).toContain(rest.status);
          }
          const stored = await readFile(join(folder, digestOf(bytes))).catch(() => undefined);
          if (stored) expect(stored).toEqual(bytes);
          expect((await names()).includes(`custom/cut-${count}`)).toBe(stored !== undefined);
        },
      ),
      { numRuns: 60 },
    );
  });
});
