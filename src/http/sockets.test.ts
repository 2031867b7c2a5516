/** What only real sockets show: slow and broken clients, draining, ranges, streams, and the typed client end to end. */
import { mkdtemp } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { afterEach, describe, expect, test } from 'vitest';
import { get, optional, post, resource } from '../contract/route.ts';
import type { Route } from '../contract/route.ts';
import { ApiError, createClient } from './client.ts';
import type { LooseCall, LooseHandler } from './dispatch.ts';
import { readEvents } from './event-stream.ts';
import { eventStream } from './event-writer.ts';
import { exampleAuthenticate, exampleKeys, exampleProgram, memoryLog } from './example-program.ts';
import { bytes, file, nothing, passOn, text } from './reply.ts';
import { createLooseServer } from './server.ts';
import type { Server } from './server.ts';

const open = { doc: 'x', reply: Type.Unknown(), policy: 'anonymous', reach: 'own' } as const;
const table = {
  ...resource('Raw', 'raw', 'x', { put: post({ ...open, raw: true }) }, 'program'),
  ...resource('File', 'file', 'x', { read: get({ ...open, type: 'binary' }) }, 'program'),
  ...resource('Tar', 'tar', 'x', { read: get({ ...open, type: 'tar', params: { none: optional(Type.Boolean(), '') } }) }, 'program'),
  ...resource('Wait', 'wait', 'x', { read: get({ ...open, type: 'text' }) }, 'program'),
  ...resource('Feed', 'feed', 'x', { read: get({ ...open, type: 'stream' }) }, 'program'),
  ...resource('Signal', 'signal', 'x', { create: post({ ...open, free: true }) }, 'program'),
} satisfies Record<string, Route>;

const content = Buffer.from('0123456789');
const seen: LooseCall[] = [];
const waits = { ms: 50, aborted: 0 };

async function* ticks() {
  for (let n = 0; ; n += 1) {
    yield { data: String(n), id: String(n) };
    await sleep(10);
  }
}

const waitRead: LooseHandler = async ({ request: asked }) => {
  asked.signal.addEventListener('abort', () => (waits.aborted += 1));
  await sleep(waits.ms, undefined, { signal: asked.signal });
  return text('waited');
};

const handlers: Record<string, LooseHandler> = {
  'Raw.put': ({ body }) => ({ bytes: body?.length }),
  'File.read': () =>
    file({ size: content.length, open: (start, end) => Readable.from([content.subarray(start, end + 1)]), etag: '"v1"' }, 'text/x-test'),
  'Tar.read': ({ params }) => (params['none'] === true ? nothing() : bytes(Buffer.from('tar'), 'application/x-tar')),
  'Wait.read': waitRead,
  'Feed.read': ({ request }) => eventStream(ticks(), request),
  'Signal.create': (call) => {
    seen.push(call);
    return call.free;
  },
};

const servers: Server[] = [];
async function start(limits = {}) {
  const { log, lines } = memoryLog();
  const server = createLooseServer({
    program: 'cell',
    version: '0',
    table,
    described: table,
    handlers: new Map(Object.entries(handlers)),
    authenticate: exampleAuthenticate,
    log,
    limits,
  });
  servers.push(server);
  const listener = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, listener, lines, url: listener.url };
}
afterEach(async () => {
  waits.ms = 50;
  await Promise.all(servers.splice(0).map((server) => server.drain(0)));
});

/** Send raw text, collect everything until the server closes. */
function raw(port: number, sent: string, then?: (socket: ReturnType<typeof connect>) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(sent);
      then?.(socket);
    });
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}

describe('bodies', () => {
  test('raw routes get bytes, whatever their type; empty is empty', async () => {
    const { url } = await start({ bodyBytes: 1000, routeBodyBytes: { 'Raw.put': 5000 } });
    const put = async (body: BodyInit, headers = {}) => (await fetch(`${url}/raw`, { method: 'POST', body, headers })).json();
    expect(await put('[1]', { 'content-type': 'application/json' })).toEqual({ bytes: 3 });
    expect(await put(new Uint8Array(4000))).toEqual({ bytes: 4000 });
    expect(await put('')).toEqual({ bytes: 0 });
  });

  test('files come beside the free keys', async () => {
    const { url } = await start();
    const form = new FormData();
    form.append('status', 'OK');
    form.append('script.out', new Blob(['output']), 'script.out');
    expect(await (await fetch(`${url}/signal`, { method: 'POST', body: form })).json()).toEqual({ status: ['OK'] });
    expect(seen.at(-1)?.files.map((one) => [one.name, one.data.toString()])).toEqual([['script.out', 'output']]);
  });

  test('too large a body is answered even while it is still coming, with and without a length', async () => {
    const { url } = await start({ bodyBytes: 1000 });
    const big = new Uint8Array(3 << 20);
    expect((await fetch(`${url}/raw`, { method: 'POST', body: big })).status).toBe(413);
    const chunked = await fetch(`${url}/raw`, { method: 'POST', body: new Blob([big]).stream(), duplex: 'half' } as RequestInit);
    expect(await chunked.text()).toBe('The request is larger than 1000 bytes.');
  });
});

describe('files', () => {
  test('whole, in part, headers only, not changed', async () => {
    const { url } = await start();
    const ask = async (headers: Record<string, string>, method = 'GET') => {
      const reply = await fetch(`${url}/file`, { headers, method });
      return [reply.status, reply.headers.get('content-length'), reply.headers.get('content-range'), await reply.text()];
    };
    expect(await ask({})).toEqual([200, '10', null, '0123456789']);
    expect(await ask({}, 'HEAD')).toEqual([200, '10', null, '']);
    expect(await ask({ range: 'bytes=2-3' })).toEqual([206, '2', 'bytes 2-3/10', '23']);
    expect(await ask({ range: 'bytes=2-3', 'if-range': '"v0"' })).toEqual([200, '10', null, '0123456789']);
    expect((await ask({ range: 'bytes=50-' })).slice(0, 3)).toEqual([416, '23', 'bytes */10']);
    expect((await ask({ 'if-none-match': '"v1"' }))[0]).toBe(304);
  });

  test('another program’s reply is passed on without its connection and its cookies', async () => {
    const given = { connection: 'close', 'Set-Cookie': 'a=b', 'content-type': 'text/x-a', 'muster-next': 'n', 'x-maas-api-hash': 'h' };
    expect(passOn(201, given, undefined).headers).toEqual({ 'content-type': 'text/x-a', 'muster-next': 'n' });
    expect(passOn(201, given, undefined, { cookies: true }).headers).toHaveProperty('Set-Cookie');
    handlers['Wait.read'] = () => passOn(201, given, Readable.from([content]));
    const { url } = await start();
    const reply = await fetch(`${url}/wait`);
    expect([reply.status, reply.headers.get('content-type'), reply.headers.get('set-cookie'), await reply.text()]).toEqual([
      201,
      'text/x-a',
      null,
      '0123456789',
    ]);
    handlers['Wait.read'] = waitRead;
  });

  test('a route may answer 204 instead', async () => {
    const { url } = await start();
    const none = await fetch(`${url}/tar?none=1`);
    expect([none.status, none.headers.get('content-type'), await none.text()]).toEqual([204, null, '']);
    expect((await fetch(`${url}/tar`)).headers.get('content-type')).toBe('application/x-tar');
  });
});

describe('bad clients', () => {
  test('one that never ends its headers is cut off', async () => {
    const { listener } = await start({ headersMs: 200, requestMs: 400 });
    expect(await raw(listener.port, 'GET /wait HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1.1 408/);
  });

  test('one that never ends its body is cut off, and the program goes on', async () => {
    const { listener, url } = await start({ headersMs: 200, requestMs: 400 });
    expect(await raw(listener.port, 'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc')).toMatch(/^HTTP\/1.1 (408|400)/);
    expect((await fetch(`${url}/file`)).status).toBe(200);
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1.1 400/],
    ['huge headers', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
    ['two lengths', 'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na', /^HTTP\/1.1 400/],
    [
      'length and chunks',
      'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
  ])('%s', async (_, sent, answer) => {
    const { listener } = await start();
    expect(await raw(listener.port, sent)).toMatch(answer);
  });

  test('one that goes away aborts its call', async () => {
    const { listener, lines } = await start();
    waits.ms = 5000;
    waits.aborted = 0;
    await raw(listener.port, 'GET /wait HTTP/1.1\r\nHost: x\r\n\r\n', (socket) => setTimeout(() => socket.destroy(), 50));
    await sleep(50);
    expect(waits.aborted).toBe(1);
    expect(lines.filter((line) => line['msg'] === 'request')).toMatchObject([{ route: 'Wait.read', gone: true }]);
  });
});

describe('draining', () => {
  test('running requests end well, streams end, nothing new is taken', async () => {
    const { server, url } = await start();
    waits.ms = 300;
    const waiting = fetch(`${url}/wait`).then((reply) => reply.text());
    const feed = await fetch(`${url}/feed`);
    const events: string[] = [];
    const reading = (async () => {
      for await (const event of readEvents(feed.body as ReadableStream<Uint8Array>)) events.push(event.data);
    })();
    await sleep(100);
    const began = performance.now();
    await server.drain(5000);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(await waiting).toBe('waited');
    await reading;
    expect(events.slice(0, 2)).toEqual(['0', '1']);
    await expect(fetch(`${url}/file`)).rejects.toThrow('fetch failed');
  });

  test('a request that is on its way to an idle connection is answered, as the last one', async () => {
    const { server, listener } = await start();
    const replies: string[] = [];
    const ask = 'GET /file HTTP/1.1\r\nHost: x\r\n\r\n';
    const socket = connect(listener.port, '127.0.0.1');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', (data) => replies.push(data.toString('latin1')));
    socket.write(ask);
    await expect.poll(() => replies.join('')).toMatch(/^HTTP\/1\.1 200 /);
    replies.length = 0;
    const drained = server.drain(5000);
    await sleep(100);
    socket.write(ask);
    await Promise.all([drained, ended]);
    expect(replies.join('')).toMatch(/^HTTP\/1\.1 200 [^]*connection: close/i);
  });

  test('an idle connection that stays idle is closed', async () => {
    const { server, listener } = await start();
    const socket = connect(listener.port, '127.0.0.1');
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', () => undefined);
    socket.write('GET /file HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(100);
    const began = performance.now();
    await server.drain(20_000);
    await ended;
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('what does not end in time is broken off', async () => {
    const { server, url } = await start();
    waits.ms = 60_000;
    const waiting = fetch(`${url}/wait`)
      .then(() => 'answered')
      .catch(() => 'broken off');
    await sleep(50);
    const began = performance.now();
    await server.drain(200);
    expect(await waiting).toBe('broken off');
    expect(performance.now() - began).toBeLessThan(1500);
  });
});

describe('listening', () => {
  test('on several addresses, on a Unix socket; a taken port is an error', async () => {
    const { server, listener } = await start();
    const second = await server.listen({ host: '127.0.0.1', port: 0 });
    expect((await fetch(`${second.url}/file`)).status).toBe(200);
    const folder = await mkdtemp(join(tmpdir(), 'muster-http-'));
    const socketPath = join(folder, 's');
    await server.listen({ socket: socketPath });
    const status = await new Promise((resolve, reject) => {
      request({ socketPath, path: '/file' }, (reply) => resolve(reply.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
    await expect(server.listen({ host: '127.0.0.1', port: listener.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('typed client', () => {
  const begin = async () => {
    const server = exampleProgram({ program: 'front', cellPrefix: true });
    servers.push(server);
    return server.listen({ host: '127.0.0.1', port: 0 });
  };

  test('calls every kind of route and gets typed replies', async () => {
    const { url } = await begin();
    const client = createClient({ url: `${url}/MAAS/`, key: exampleKeys.admin });
    const zone = await client.call('Zones.create', {}, { name: 'a b', description: 'x & y = ü' }, { idempotencyKey: 'k1' });
    expect(zone.description).toBe('x & y = ü');
    expect(await client.call('Zone.read', { name: 'a b' }, {}, { cell: 'c1' })).toEqual(zone);
    expect(await client.call('Zone.update', { name: 'a b' }, { description: '' })).toMatchObject({ description: '' });
    expect((await client.call('Zones.read', {}, {})).length).toBe(1);
    expect(await client.call('Zone.delete', { name: 'a b' }, {})).toBeNull();
    expect(await client.call('Health.read', {}, {})).toBe('ok\n');
  });

  test('errors carry code, text, fields and whether to try again', async () => {
    const { url } = await begin();
    const client = createClient({ url, key: exampleKeys.admin });
    const failure = async (call: Promise<unknown>) => (await call.catch((error: unknown) => error)) as ApiError;
    expect(await failure(client.call('Zone.read', { name: 'nope' }, {}))).toMatchObject({
      status: 404,
      code: 'not_found',
      retryAfter: undefined,
    });
    expect(await failure(client.call('Zones.create', {}, { name: '-' }))).toMatchObject({
      code: 'invalid',
      fields: { name: [expect.any(String)] },
    });
    expect(await failure(createClient({ url }).call('Zones.read', {}, {}))).toMatchObject({ status: 401, code: 'no_credentials' });
    const nobody = createClient({ url: 'http://127.0.0.1:1', key: exampleKeys.admin });
    expect(await failure(nobody.call('Zones.read', {}, {}))).toBeInstanceOf(ApiError);
    expect(await failure(nobody.call('Zones.read', {}, {}))).toMatchObject({ status: 0 });
    const aborted = AbortSignal.abort();
    expect((await failure(client.call('Zones.read', {}, {}, { signal: aborted }))).name).toBe('AbortError');
  });

  test('never takes its credentials along a redirect', async () => {
    const elsewhere: (string | undefined)[] = [];
    const other = createServer((asked, response) => {
      elsewhere.push(asked.headers.authorization);
      if (asked.url === '/caught') response.end('[]');
      else response.writeHead(302, { location: '/caught' }).end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(createClient({ url: `http://127.0.0.1:${port}`, key: exampleKeys.admin }).call('Zones.read', {}, {})).rejects.toThrow(
      ApiError,
    );
    expect(elsewhere.length).toBe(1);
    other.close();
  });
});
