/** The rules of the wire (maas-api.md §1.1, §1.3, §3), each shown on the zones of the real table. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fail } from '../contract/errors.ts';
import { exampleKeys, exampleProgram, memoryLog, zoneHandlers } from './example-program.ts';
import { oauthHeader } from './oauth.ts';
import { text } from './reply.ts';

const admin = { authorization: oauthHeader(exampleKeys.admin) };
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const zones = '/MAAS/api/2.0/zones/';
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD' | 'PATCH' | 'OPTIONS';

function program(options = {}) {
  const server = exampleProgram(options);
  const ask = (method: Method, url: string, payload?: string | Buffer, headers: Record<string, string> = { ...admin, ...form }) =>
    server.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { server, ask };
}

describe('parameters', () => {
  test.each([
    ['urlencoded', 'application/x-www-form-urlencoded', 'name=z1&description=two+words'],
    ['json', 'application/json', '{"name":"z1","description":"two words"}'],
    [
      'multipart in base64',
      'multipart/form-data; boundary="=x="',
      '--=x=\r\nContent-Disposition: form-data; name="name"\r\nContent-Transfer-Encoding: base64\r\n\r\nejE=\r\n--=x=\r\nContent-Disposition: form-data; name="description"\r\n\r\ntwo words\r\n--=x=--\r\n',
    ],
    [
      'multipart with a file for a parameter',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nz1\r\n--b\r\nContent-Disposition: form-data; name="description"; filename="d"\r\n\r\ntwo words\r\n--b--\r\n',
    ],
  ])('as %s', async (_, type, body) => {
    const { ask } = program();
    const reply = await ask('POST', `${zones}?op=`, body, { ...admin, 'content-type': type });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(reply.json()).toEqual({ id: 1, name: 'z1', description: 'two words', resource_uri: `${zones}z1/` });
  });

  test('in the query of a POST without a body', async () => {
    expect((await program().ask('POST', `${zones}?name=z1`, undefined, admin)).json()).toMatchObject({ name: 'z1' });
  });

  test('all bad ones are told at once, by field', async () => {
    const reply = await program().ask('POST', zones, `description=${'x'.repeat(5000)}`);
    expect(reply.statusCode).toBe(400);
    expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(reply.json()).toEqual({
      name: ['This field is required.'],
      description: ['Ensure this value has at most 4096 characters (it has 5000).'],
    });
  });

  test('DELETE may carry a body', async () => {
    const reply = await program().ask('DELETE', `${zones}z1/`, '--b\n\n--b--', {
      ...admin,
      'content-type': 'multipart/form-data; boundary=b',
    });
    expect(reply.statusCode).toBe(204);
    expect(reply.body).toBe('');
  });
});

describe('op', () => {
  const body = 'name=z1';
  test.each([
    ['none', zones, body, 200],
    ['empty in the query, as juju sends it', `${zones}?op=`, body, 200],
    ['empty in the body', zones, `${body}&op=`, 200],
    ['unknown in the query', `${zones}?op=foo`, body, 400],
    ['unknown in the body', zones, `${body}&op=foo`, 400],
    ['query before body', `${zones}?op=foo`, `${body}&op=bar`, 400],
  ])('%s', async (_, url, payload, status) => {
    const reply = await program().ask('POST', url, payload);
    expect(reply.statusCode).toBe(status);
    if (status === 400) expect(reply.body).toBe('Unrecognised signature: method=POST op=foo');
  });

  test('a method that the path does not have', async () => {
    const reply = await program().ask('PUT', zones, body);
    expect([reply.statusCode, reply.body]).toEqual([400, 'Unrecognised signature: method=PUT op=None']);
  });
});

describe('paths', () => {
  test('an unknown one', async () => {
    const reply = await program().ask('GET', '/MAAS/api/2.0/x/');
    expect([reply.statusCode, reply.body]).toEqual([404, 'Unknown API endpoint: /MAAS/api/2.0/x/.']);
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('without its slash: GET is redirected, the rest is served', async () => {
    const { ask } = program();
    const posted = await ask('POST', '/MAAS/api/2.0/zones', 'name=z1');
    expect(posted.statusCode).toBe(200);
    const reply = await ask('GET', '//MAAS/api/2.0/zones/z1?a=b');
    expect([reply.statusCode, reply.headers.location]).toEqual([301, '/MAAS/api/2.0/zones/z1/?a=b']);
  });

  test('percent-encoded names, HEAD', async () => {
    const { ask } = program();
    await ask('POST', zones, 'name=a b');
    expect((await ask('GET', `${zones}a%20b/`)).json()).toMatchObject({ name: 'a b' });
    const head = await ask('HEAD', `${zones}a%20b/`);
    expect([head.statusCode, head.body, Number(head.headers['content-length']) > 10]).toEqual([200, '', true]);
  });

  test.each(['%00', '%ff', '%zz', '%c0%af', 'a%'])('refuses %s', async (name) => {
    const { ask } = program();
    expect((await ask('GET', `${zones}${name}/`)).statusCode).toBe(400);
    expect((await ask('GET', `${zones}?x=${name}`)).statusCode).toBe(400);
    expect((await ask('POST', zones, `name=${name}`)).statusCode).toBe(400);
  });

  test('/cell/NAME is a front’s only', async () => {
    const cell = exampleProgram();
    expect((await cell.inject({ url: `/cell/c1${zones}`, headers: admin })).statusCode).toBe(404);
    const front = exampleProgram({ program: 'front', cellPrefix: true });
    expect((await front.inject({ url: `/cell/c1${zones}`, headers: admin })).statusCode).toBe(200);
    expect((await front.inject({ url: `/cell/c1/MAAS/api/2.0/zones`, headers: admin })).headers.location).toBe(`/cell/c1${zones}`);
    const described = (await front.inject({ url: `/cell/c1/MAAS/api/2.0/describe/` })).json();
    expect(described.resources[0].auth?.path ?? described.resources[0].anon.path).toMatch('/cell/c1/MAAS/api/2.0/');
  });

  test('whatever the path and method, never a 500', async () => {
    const { server } = program();
    const piece = fc.oneof(fc.constantFrom('zones', 'MAAS', 'api', '2.0', 'z1', '..', '.', '%2e%2e', 'op-x', ''), fc.webPath());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Method>('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'),
        fc.array(piece, { maxLength: 6 }),
        fc.webQueryParameters(),
        async (method, pieces, query) => {
          const reply = await server.inject({ method, url: `/${pieces.join('/')}?${query}`, headers: admin });
          expect(reply.statusCode).toBeLessThan(500);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('who may', () => {
  const sign = (who: keyof typeof exampleKeys) => ({ authorization: oauthHeader(exampleKeys[who]) });
  test.each([
    ['nobody', {}, 401, 401],
    ['a user', sign('user'), 200, 403],
    ['an admin', sign('admin'), 200, 200],
    ['a machine', sign('machine'), 403, 403],
    ['a cell', sign('cell'), 403, 403],
    ['a bad key', { authorization: oauthHeader('ck:user:wrong') }, 401, 401],
    ['a broken header', { authorization: 'OAuth oauth_token' }, 400, 400],
  ])('%s', async (_, headers, reads, writes) => {
    const { ask } = program();
    expect((await ask('GET', zones, undefined, { ...headers })).statusCode).toBe(reads);
    expect((await ask('POST', zones, 'name=z1', { ...form, ...headers })).statusCode).toBe(writes);
  });

  test('the texts that clients compare', async () => {
    const { ask } = program();
    const texts = await Promise.all(
      [{}, { authorization: oauthHeader('ck:user:wrong') }, sign('machine')].map(
        async (headers) => (await ask('GET', zones, undefined, { ...headers })).body,
      ),
    );
    expect(texts).toEqual([
      'Unrecognised client: sign the request with an API key.',
      'Authorization Error: Invalid API key.',
      'User is not allowed access to this API.',
    ]);
  });

  test('signed in the query or in the form', async () => {
    const { ask } = program();
    const pairs =
      'oauth_consumer_key=ck&oauth_token=admin&oauth_signature=%26secret&oauth_signature_method=PLAINTEXT&oauth_timestamp=1&oauth_nonce=n';
    expect((await ask('GET', `${zones}?${pairs}`, undefined, {})).statusCode).toBe(200);
    expect((await ask('POST', zones, `name=z1&${pairs}`, form)).json()).toMatchObject({ name: 'z1' });
    expect((await ask('POST', zones, `name=z2&${pairs.replace('secret', 'wrong')}`, form)).statusCode).toBe(401);
  });

  test('a session writes from our own pages only', async () => {
    const { ask } = program();
    const write = async (headers: Record<string, string>) =>
      (await ask('POST', zones, 'name=z1', { ...form, cookie: 'session=ann', ...headers })).statusCode;
    expect(await write({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await write({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await write({ origin: 'http://evil.example' })).toBe(403);
    expect(await write({ origin: 'null' })).toBe(403);
    expect(await write({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect((await ask('GET', zones, undefined, { cookie: 'session=ann', 'sec-fetch-site': 'cross-site' })).statusCode).toBe(200);
  });
});

describe('errors', () => {
  test('name their code; Retry-After only where it helps', async () => {
    const { ask } = program({ authenticate: () => Promise.reject(fail('database_away', { program: 'cell' })) });
    const away = await ask('GET', zones);
    expect([away.statusCode, away.headers['muster-error'], away.headers['retry-after']]).toEqual([503, 'database_away', '2']);
    const missing = await program().ask('GET', `${zones}nope/`);
    expect([missing.statusCode, missing.body, missing.headers['retry-after']]).toEqual([
      404,
      'No Zone matches the given query.',
      undefined,
    ]);
  });

  test('an unexpected one says nothing but its request, and is logged', async () => {
    const { log, lines } = memoryLog();
    const { server } = program({ log, authenticate: () => Promise.reject(new Error('password is hunter2')) });
    const reply = await server.inject({ url: zones, headers: { 'x-request-id': 'r-1' } });
    expect([reply.statusCode, reply.body]).toEqual([500, 'Something went wrong here; request r-1 is in the log.']);
    expect(lines.find((line) => line['msg'] === 'request failed')).toMatchObject({
      request: 'r-1',
      err: { message: 'password is hunter2' },
    });
  });

  test('a reply against its schema is one of them', async () => {
    const { server } = program({ handlers: { ...zoneHandlers(), 'Zones.read': () => [{ id: 'one' }] } });
    expect((await server.inject({ url: zones, headers: admin })).statusCode).toBe(500);
  });

  test('too large a body', async () => {
    const { ask } = program({ limits: { bodyBytes: 100, routeBodyBytes: { 'Zones.create': 200 } } });
    expect((await ask('PUT', `${zones}z1/`, `description=${'x'.repeat(100)}`)).statusCode).toBe(413);
    expect((await ask('POST', zones, `name=z1&description=${'x'.repeat(100)}`)).statusCode).toBe(200);
    expect((await ask('POST', zones, `name=z1&description=${'x'.repeat(200)}`)).body).toBe('The request is larger than 200 bytes.');
  });

  test.each([
    [{ 'content-type': 'text/xml' }, 415],
    [{ 'content-type': 'nonsense' }, 415],
    [{ ...form, 'content-encoding': 'gzip' }, 415],
    [{ ...form, 'idempotency-key': 'a b' }, 400],
  ])('headers %j', async (headers, status) => {
    expect((await program().ask('POST', zones, 'name=z1', { ...admin, ...(headers as Record<string, string>) })).statusCode).toBe(status);
  });
});

describe('every program', () => {
  test('describes the API, with the hash that all replies carry', async () => {
    const { server, ask } = program();
    const reply = await server.inject({ url: '/MAAS/api/2.0/describe/', headers: { host: 'm.example:5240' } });
    expect(reply.headers['content-type']).toBe('application/json');
    const described = reply.json();
    expect(described.hash).toMatch(/^[0-9a-f]{40}$/);
    for (const url of [zones, `${zones}nope/`, '/MAAS/api/2.0/x/', `${zones}?op=foo`]) {
      expect((await ask('GET', url)).headers['x-maas-api-hash']).toBe(described.hash);
    }
    const zone = described.resources.find((one: { name: string }) => one.name === 'ZoneHandler');
    expect(zone.auth).toMatchObject({ path: `${zones}{name}/`, uri: `http://m.example:5240${zones}{name}/`, params: ['name'] });
  });

  test('a Host header that is none is not repeated', async () => {
    const { server } = program();
    const reply = await server.inject({ url: '/MAAS/api/2.0/describe/', headers: { host: 'evil"><script>' } });
    expect(reply.body.includes('<script>')).toBe(false);
  });

  test('says how it is', async () => {
    let failure: ReturnType<typeof fail> | undefined = fail('database_away', { program: 'cell' });
    const { server } = program({ unready: () => failure });
    expect((await server.inject('/healthz')).body).toBe('ok\n');
    expect((await server.inject('/readyz')).statusCode).toBe(503);
    failure = undefined;
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    await server.drain();
  });

  test('counts by route, logs without secrets', async () => {
    const { log, lines } = memoryLog();
    const { ask, server } = program({ log });
    await ask('GET', `${zones}nope/?nonce=hunter2`);
    await ask('GET', '/nothing/here');
    const metrics = (await server.inject('/metrics')).body;
    expect(metrics).toContain('muster_http_requests_total{route="Zone.read",status="404"} 1');
    expect(metrics).toContain('muster_http_requests_total{route="none",status="404"} 1');
    expect(lines[0]).toMatchObject({
      msg: 'request',
      route: 'Zone.read',
      method: 'GET',
      status: 404,
      caller: 'user:root',
      address: '127.0.0.1',
    });
    expect(JSON.stringify(lines)).not.toMatch(/hunter2|secret/);
  });

  test('keeps a sane request id and draws another for the rest', async () => {
    const { server } = program();
    const id = async (given: string) =>
      (await server.inject({ url: '/healthz', headers: { 'x-request-id': given } })).headers['x-request-id'];
    expect(await id('abc-1')).toBe('abc-1');
    expect(await id('a b\tc')).not.toBe('a b\tc');
    expect(await id('x'.repeat(200))).toHaveLength(36);
  });

  test('pages answer what no route has, never under the API', async () => {
    const { server } = program({
      pages: ({ path }: { path: string }) => (path === '/missing' ? undefined : text(`page ${path}`, 'text/html')),
    });
    expect((await server.inject('/machines/x')).body).toBe('page /machines/x');
    expect((await server.inject('/missing')).statusCode).toBe(404);
    expect((await server.inject('/MAAS/api/2.0/nope/')).statusCode).toBe(404);
    expect((await server.inject({ method: 'POST', url: '/machines/x' })).statusCode).toBe(404);
  });
});
