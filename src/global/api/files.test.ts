// Files of users: bytes, keys, limits, and their end.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../../test/global-api.ts';
import { fileLimits } from '../../contract/resources/files.ts';
import { selfSignedCertificate } from '../certificate.ts';
import { generateSigningKey } from '../signing-key.ts';

let api: GlobalApi;
let ann: string;
let bob: string;

beforeAll(async () => {
  api = await globalApi();
  ann = await api.person('ann');
  bob = await api.person('bob');
});
afterAll(() => api[Symbol.asyncDispose]());

const asAnn = async <T>(path: string, given?: Record<string, string>): Promise<T> =>
  (await api.ask('GET', path, given, { key: ann })).json<T>();

/** As gomaasapi sends a file. */
function multipart(filename: string, contents: readonly Buffer[]): { readonly body: Buffer; readonly headers: Record<string, string> } {
  const part = (name: string, rest: string, data: Buffer) =>
    Buffer.concat([Buffer.from(`--xyz\r\nContent-Disposition: form-data; name="${name}"${rest}\r\n\r\n`), data, Buffer.from('\r\n')]);
  const parts = contents.map((data) => part('file', '; filename="file"\r\nContent-Type: application/octet-stream', data));
  return {
    body: Buffer.concat([part('filename', '', Buffer.from(filename)), ...parts, Buffer.from('--xyz--\r\n')]),
    headers: { 'content-type': 'multipart/form-data; boundary=xyz' },
  };
}

const bytes = Buffer.from([0, 255, 10, 13, 10, 0xc3, 0x28]);
const store = (filename: string, key: string, ...contents: readonly Buffer[]): Promise<[number, string]> => {
  const { body, headers } = multipart(filename, contents);
  return api.told('POST', 'files/?op=', body, { key, headers });
};

test('each has their own, byte for byte', async () => {
  expect(await store('provider-state', ann, bytes)).toEqual([201, 'Created']);
  expect(await store('provider-state', bob, Buffer.from('bob'))).toEqual([201, 'Created']);
  const read = await asAnn<{ content: string; anon_resource_uri: string; resource_uri: string }>('files/provider-state/');
  const key = read.anon_resource_uri.split('key=')[1]!;
  expect(read).toEqual({
    filename: 'provider-state',
    resource_uri: '/MAAS/api/2.0/files/provider-state/',
    anon_resource_uri: `/MAAS/api/2.0/files/?op=get_by_key&key=${key}`,
    content: bytes.toString('base64'),
  });
  const raw = await api.server.inject({ url: read.anon_resource_uri });
  expect([raw.statusCode, raw.rawPayload]).toEqual([200, bytes]);
  // The key stays when something else is put into it.
  expect(await store('provider-state', ann, Buffer.from('new'))).toEqual([201, 'Created']);
  expect(await api.told('GET', read.anon_resource_uri, undefined, { key: '', joined: true })).toEqual([200, 'new']);
  expect(await api.told('GET', 'files/?op=get&filename=provider-state', undefined, { key: bob })).toEqual([200, 'bob']);
  await api.ask('POST', 'files/', { filename: 'a b', file: 'as text' }, { key: ann });
  expect((await asAnn<{ filename: string }[]>('files/')).map((one) => one.filename)).toEqual(['a b', 'provider-state']);
  expect((await asAnn<{ filename: string }[]>('files/', { prefix: 'prov' })).length).toBe(1);
  expect((await api.ask('DELETE', 'files/a%20b/', undefined, { key: ann })).status).toBe(204);
  expect((await api.ask('DELETE', 'files/', { filename: 'provider-state' }, { key: ann })).status).toBe(204);
  for (const at of ['files/provider-state/', 'files/?op=get&filename=provider-state', read.anon_resource_uri])
    expect(await api.told('GET', at, undefined, { key: ann })).toEqual([404, 'No FileStorage matches the given query.']);
  expect((await api.ask('DELETE', 'files/', { filename: 'provider-state' }, { key: ann })).status).toBe(404);
  // Nothing of it is left in what everybody has in memory.
  const left = api.authority.memory
    .documents('config')
    .filter(({ kind, body }) => kind === 'file' && body['user'] !== undefined && body['content'] !== '');
  expect(left.map(({ body }) => body['filename'])).toEqual(['provider-state']);
});

test('the log has of a file what is in it now, and nothing when it is deleted', async () => {
  const logged = async () => {
    const rows = await api.authority.db.selectFrom('global_change').select('body').where('kind', '=', 'file').orderBy('n').execute();
    const contents = rows.filter(({ body }) => body['filename'] === 'often').map(({ body }) => String(body['content']));
    return contents.filter((content) => content !== '').map((content) => Buffer.from(content, 'base64').toString());
  };
  for (const text of ['one', 'two', 'three']) expect((await store('often', ann, Buffer.from(text)))[0]).toBe(201);
  expect(await logged()).toEqual(['three']);
  expect((await api.ask('GET', 'files/', { op: 'get', filename: 'often' }, { key: ann })).text).toBe('three');
  expect((await api.ask('DELETE', 'files/', { filename: 'often' }, { key: ann })).status).toBe(204);
  expect(await logged()).toEqual([]);
});

test.each([
  ['none', 'x', [], 'File not supplied.'],
  ['two', 'x', [Buffer.from('1'), Buffer.from('2')], 'Exactly one file must be supplied.'],
  ['too large', 'x', [Buffer.alloc(fileLimits.file + 1)], 'A file has at most 1048576 bytes.'],
  ['no name', '', [Buffer.from('1')], 'filename'],
  ['a path', '../x', [Buffer.from('1')], 'filename'],
  ['dots', '..', [Buffer.from('1')], 'filename'],
  ['a long name', 'x'.repeat(256), [Buffer.from('1')], 'filename'],
])('%s: refused', async (_what, filename, contents, text) => {
  expect(await store(filename, ann, ...contents)).toEqual([400, expect.stringContaining(text)]);
});

test('a user has so much and no more; what is replaced does not count', async () => {
  const large = Buffer.alloc(fileLimits.file, 1);
  for (let n = 0; n < 8; n += 1) expect((await store(`f${n}`, ann, large))[0]).toBe(201);
  expect(await store('f8', ann, Buffer.from('1'))).toEqual([400, expect.stringContaining('of a user have at most 8388608 bytes')]);
  expect((await store('f7', ann, large))[0]).toBe(201);
  expect((await store('f8', bob, Buffer.from('1')))[0]).toBe(201);
});

test('go with their user, like all that is theirs', async () => {
  const { id } = api.authority.memory.named('user', 'ann')!;
  await api.ask('POST', 'account/prefs/sslkeys/', { key: selfSignedCertificate(generateSigningKey(), 'ann') }, { key: ann });
  await api.ask('POST', 'notifications/', { message: 'only to ann', user: String(id) });
  expect((await api.ask('DELETE', 'users/ann/')).status).toBe(204);
  const { memory } = api.authority;
  const left = (['file', 'sslkey', 'sshkey', 'token', 'notification'] as const).map(
    (kind) => memory.list(kind).filter((one) => one.user === id).length,
  );
  expect(left).toEqual([0, 0, 0, 0, 0]);
});
