import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleProgram } from './example-program.ts';
import type { Server } from './server.ts';
import { staticPages } from './static-pages.ts';

let folder: string;
let server: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-pages-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Muster</title>');
  await writeFile(join(folder, 'assets', 'index-1a2b3c.js'), 'export {};');
  server = exampleProgram({ pages: await staticPages(folder) });
});
afterAll(() => rm(folder, { recursive: true }));

test('the page answers every path that is no endpoint, and may run only its own scripts', async () => {
  for (const url of ['/', '/machines/43sx7ab', '/index.html']) {
    const reply = await server.inject({ url });
    expect(reply.statusCode).toBe(200);
    expect(reply.body).toContain('<title>Muster');
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply.headers['cache-control']).toBe('no-cache');
    expect(reply.headers['content-security-policy']).toContain("script-src 'self'");
  }
});

test('assets are cached for good, and revalidate by their content', async () => {
  const reply = await server.inject({ url: '/assets/index-1a2b3c.js' });
  expect(reply.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect(reply.headers['content-type']).toBe('text/javascript; charset=utf-8');
  const again = await server.inject({ url: '/assets/index-1a2b3c.js', headers: { 'if-none-match': String(reply.headers['etag']) } });
  expect(again.statusCode).toBe(304);
});

test.each(['/assets/gone-1a2b3c.js', '/MAAS/api/2.0/nothing/', '/boot/nothing', '/replica/nothing/'])('%s is not the page', async (url) => {
  expect((await server.inject({ url })).statusCode).toBe(404);
});

test.each(['/../secret', '/..%2fsecret', '/assets/../../secret', '/%2e%2e/secret'])(
  '%s gives nothing from outside the folder',
  async (url) => {
    await writeFile(join(folder, '..', 'secret'), 'top secret');
    expect((await server.inject({ url })).body).not.toContain('top secret');
    await rm(join(folder, '..', 'secret'));
  },
);

test('writes are no pages, and a folder without a page is refused', async () => {
  expect((await server.inject({ url: '/machines', method: 'POST' })).statusCode).toBe(404);
  await expect(staticPages(join(folder, 'assets'))).rejects.toThrow('holds no index.html');
});
