import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FetchError, openImageStore } from './store.ts';

const body = Buffer.from('0123456789'.repeat(20_000));
const sha256 = createHash('sha256').update(body).digest('hex');

let folder: string;
let server: Server | undefined;
let asked: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-store-'));
  asked = [];
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    listener(request, response);
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a stored file streams whole and by range; what is no digest or not here is undefined', async () => {
  const store = await openImageStore({ folder });
  await writeFile(join(folder, sha256), body);
  const file = await store.open(sha256);
  expect(file?.size).toBe(body.length);
  expect(await text(file!.stream())).toBe(body.toString());
  expect(await text(file!.stream(3, 7))).toBe('34567');
  expect(await text(file!.stream(body.length - 2))).toBe('89');
  expect(await store.open('0'.repeat(64))).toBeUndefined();
  expect(await store.open('../../etc/passwd')).toBeUndefined();
});

test('fetch goes on to the next URL on a wrong digest, a wrong status and a dead server, and keeps nothing of those', async () => {
  const base = await serve((request, response) => {
    if (request.url === '/wrong') response.end(Buffer.alloc(body.length));
    else if (request.url === '/right') response.end(body);
    else response.writeHead(404).end();
  });
  const store = await openImageStore({ folder });
  const seen: number[] = [];
  const file = await store.fetch({
    sha256,
    size: body.length,
    exact: true,
    urls: ['http://127.0.0.1:1/', `${base}/none`, `${base}/wrong`, `${base}/right`],
    progress: (bytes) => seen.push(bytes),
  });
  expect(await readFile(file.path)).toEqual(body);
  expect(seen.at(-1)).toBe(body.length);
  expect((await readdir(folder)).toSorted()).toEqual(['.partial', sha256].toSorted());
  expect(await readdir(join(folder, '.partial'))).toEqual([]);
  await store.fetch({ sha256, size: body.length, urls: [] });
  expect(asked).toEqual(['/none', '/wrong', '/right']);
});

test('a mismatch, an oversized and a broken-off answer are refused with the reason, and leave no file', async () => {
  const base = await serve((request, response) => {
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 1000), () => response.destroy());
    } else response.end(request.url === '/big' ? Buffer.concat([body, body]) : Buffer.alloc(body.length));
  });
  const store = await openImageStore({ folder });
  const failed = store.fetch({
    sha256,
    size: body.length,
    urls: [`${base}/wrong?token=secret`, `${base}/big`, `${base}/cut`, 'file:///etc/passwd'],
  });
  await expect(failed).rejects.toThrow(FetchError);
  await expect(failed).rejects.toThrow(
    /wrong: the bytes have digest [0-9a-f]{64}\n.*big: larger than 200000 bytes\n.*cut: .*\n.*not an HTTP URL/,
  );
  await expect(failed).rejects.not.toThrow(/secret/);
  expect(await readdir(folder)).toEqual(['.partial']);
  expect(await store.open(sha256)).toBeUndefined();
});

test('callers of one digest share one fetch', async () => {
  const base = await serve((_, response) => void setTimeout(() => response.end(body), 50));
  const store = await openImageStore({ folder });
  const [a, b] = await Promise.all([0, 1].map(() => store.fetch({ sha256, size: body.length, urls: [`${base}/x`] })));
  expect(a?.path).toBe(b?.path);
  expect(asked).toEqual(['/x']);
});

test('a server that says nothing more is given up, and so is a fetch whose caller aborts', async () => {
  const base = await serve((_, response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, 1000));
  });
  const store = await openImageStore({ folder, stallTime: 100 });
  await expect(store.fetch({ sha256, size: body.length, urls: [`${base}/x`] })).rejects.toThrow(/no byte for 0.1 s/);
  const patient = await openImageStore({ folder });
  await expect(patient.fetch({ sha256, size: body.length, urls: [`${base}/x`], signal: AbortSignal.timeout(50) })).rejects.toThrow(
    /timeout|abort/i,
  );
  expect(await readdir(join(folder, '.partial'))).toEqual([]);
});
