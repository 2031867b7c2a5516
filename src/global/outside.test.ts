// What the authority asks of others: SSH keys of Launchpad and GitHub, OpenID issuers.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalApi, type GlobalApi } from '../../test/global-api.ts';
import { outsideSite, type OutsideSite } from '../../test/outside-site.ts';
import { openOutside } from './outside.ts';

let api: GlobalApi;
let site: OutsideSite;
let ann: string;

beforeAll(async () => {
  site = await outsideSite();
  api = await globalApi({ outside: site.door });
  ann = await api.person('ann');
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const sshKeys = [
  'AAAAC3NzaC1lZDI1NTE5AAAAIBEz0VcpeQLuDTd2l1nCB8D7c0nPvQ8nOnmYtxgsU0Kv',
  'AAAAC3NzaC1lZDI1NTE5AAAAICEz0VcpeQLuDTd2l1nCB8D7c0nPvQ8nOnmYtxgsU0Kv',
];
const [first, second] = sshKeys.map((blob) => `ssh-ed25519 ${blob} me@there`);

describe('SSH keys from elsewhere', () => {
  const take = (keysource: string) => api.told('POST', 'account/prefs/sshkeys/?op=import', { keysource }, { key: ann });

  test('are added once, with where they come from', async () => {
    site.pages.set('/~ann/+sshkeys', [200, `${first}\r\nssh-dss AAAA old@there\n\n${second}\n${first}\n`]);
    const [status, text] = await take('lp:ann');
    expect(status).toBe(200);
    const keys = JSON.parse(text) as { key: string; keysource: string }[];
    expect(keys.map(({ key, keysource }) => [key, keysource])).toEqual([
      [first, 'lp:ann'],
      [second, 'lp:ann'],
    ]);
    expect(await take('lp:ann')).toEqual([200, text]);
    // What one has already is not added again.
    site.pages.set('/hub/ann.keys', [302, '', '/hub/keys-of-ann']);
    site.pages.set('/hub/keys-of-ann', [200, first!]);
    expect(await take('gh:ann')).toEqual([200, '[]']);
    expect((await api.ask('GET', 'account/prefs/sshkeys/', undefined, { key: ann })).json<unknown[]>().length).toBe(2);
    expect((await api.ask('GET', 'account/prefs/sshkeys/')).json()).toEqual([]);
  });

  test.each([
    ['ann', 400, 'lp:USER'],
    ['bb:ann', 400, 'lp:USER'],
    ['lp:../../admin', 400, 'lp:USER'],
    ['lp:ann/../bob', 400, 'lp:USER'],
    ['lp:ann@evil.example', 400, 'lp:USER'],
    ['gh:ann?x=1', 400, 'lp:USER'],
    ['gh:ann%2f..', 400, 'lp:USER'],
    ['gh:-ann', 400, 'lp:USER'],
    ['lp:nobody', 400, 'There is no lp user nobody.'],
    ['gh:keyless', 400, 'There are no SSH keys for gh user keyless.'],
    ['gh:many', 400, 'more than 100 SSH keys'],
    ['gh:elsewhere', 503, 'GitHub did not give the SSH keys of elsewhere: it redirects to http://evil.example.'],
    ['gh:loop', 503, 'it redirects more than 3 times'],
    ['gh:broken', 503, 'it answered 500'],
    ['gh:huge', 503, 'GitHub did not give the SSH keys of huge'],
  ])('%s is refused with %i: %s', async (keysource, status, text) => {
    site.pages.set('/hub/keyless.keys', [200, 'hello\n']);
    const many = Array.from({ length: 101 }, (_, n) => `ssh-ed25519 ${keyNumber(n)}`);
    site.pages.set('/hub/many.keys', [200, many.join('\n')]);
    site.pages.set('/hub/elsewhere.keys', [302, '', 'http://evil.example/']);
    site.pages.set('/hub/loop.keys', [302, '', '/hub/loop.keys']);
    site.pages.set('/hub/broken.keys', [500, '']);
    site.pages.set('/hub/huge.keys', [200, `${first}\n`.repeat(4_000)]);
    const before = api.authority.memory.revision('access');
    const answer = await take(keysource);
    expect(answer).toEqual([status, expect.stringContaining(text)]);
    expect(api.authority.memory.revision('access')).toEqual(before);
  });

  test('nobody answers', async () => {
    const alone = await globalApi({ outside: openOutside({ github: 'http://127.0.0.1:2' }) });
    const answer = await alone.ask('POST', 'account/prefs/sshkeys/?op=import', { keysource: 'gh:ann' });
    expect([answer.status, answer.headers['retry-after'], answer.text]).toEqual([503, '10', expect.stringContaining('127.0.0.1:2')]);
    await alone[Symbol.asyncDispose]();
  });
});

/** A well-formed Ed25519 key of its own. */
function keyNumber(n: number): string {
  const blob = Buffer.from(sshKeys[0]!, 'base64');
  blob.writeUInt32BE(n, blob.length - 4);
  return blob.toString('base64');
}

describe('OpenID providers', () => {
  const given = () => ({
    name: 'corp',
    issuer_url: `${site.origin}/realm`,
    client_id: 'muster',
    client_secret: 'very secret',
    enabled: 'true',
    token_type: 'JWT',
    vendor: 'keycloak',
    redirect_uri: 'https://muster.example/back',
    scopes: 'openid email',
  });
  const secret = async () => (await api.authority.db.selectFrom('client_secret').selectAll().execute()).map((row) => row.secret);

  test('are checked at their issuer, and keep their secret', async () => {
    site.pages.set('/realm/.well-known/openid-configuration', [200, JSON.stringify({ issuer: `${site.origin}/realm` })]);
    expect((await api.ask('GET', 'oidc-providers/?op=get_active')).status).toBe(404);
    const sent = { ...given(), client_secret: 'very-secret' };
    const made = await api.ask('POST', 'oidc-providers/', sent);
    expect([made.status, made.text]).toEqual([201, expect.not.stringContaining('very-secret')]);
    const { resource_uri, id } = made.json<{ resource_uri: string; id: number }>();
    const { client_secret: _, ...shown } = sent;
    expect(made.json()).toEqual({ ...shown, enabled: true, id, resource_uri: `/MAAS/api/2.0/oidc-providers/${id}/` });
    expect((await api.ask('GET', 'oidc-providers/?op=get_active')).json()).toEqual(made.json());
    expect((await api.ask('GET', 'oidc-providers/')).json()).toEqual([made.json()]);
    expect((await api.ask('GET', resource_uri, undefined, { joined: true })).json()).toEqual(made.json());
    expect(JSON.stringify(api.authority.memory.documents('config'))).not.toContain('very-secret');
    expect(await secret()).toEqual(['very-secret']);

    expect((await api.ask('POST', 'oidc-providers/', { ...sent, enabled: 'false' })).status).toBe(409);
    expect((await api.ask('POST', 'oidc-providers/', { ...sent, name: 'other' })).status).toBe(409);
    expect((await api.ask('DELETE', resource_uri)).status).toBe(409);
    expect((await api.ask('PUT', resource_uri, { enabled: 'false', client_secret: 'another' })).json()).toMatchObject({ enabled: false });
    expect(await secret()).toEqual(['another']);
    expect((await api.ask('PUT', resource_uri, { issuer_url: `${site.origin}/nowhere` })).status).toBe(502);
    expect((await api.ask('DELETE', resource_uri)).status).toBe(204);
    expect([await secret(), (await api.ask('DELETE', resource_uri)).status, (await api.ask('GET', resource_uri)).status]).toEqual([
      [],
      404,
      404,
    ]);
  });

  test.each([
    ['nobody there', 'http://127.0.0.1:2', 502],
    ['no discovery document', 'ORIGIN/empty', 502],
    ['no JSON', 'ORIGIN/words', 502],
    ['another issuer', 'ORIGIN/other', 502],
    ['without TLS', 'http://issuer.example', 400],
    ['no address', 'issuer', 400],
  ])('%s: refused', async (_what, issuer, status) => {
    site.pages.set('/words/.well-known/openid-configuration', [200, 'hello']);
    site.pages.set('/other/.well-known/openid-configuration', [200, '{"issuer":"https://other.example"}']);
    const answer = await api.ask('POST', 'oidc-providers/', {
      ...given(),
      client_secret: 'x',
      issuer_url: issuer.replace('ORIGIN', site.origin),
    });
    expect([answer.status, api.authority.memory.list('oidc_provider')]).toEqual([status, []]);
  });

  test('are for administrators', async () => {
    for (const path of ['oidc-providers/', 'oidc-providers/?op=get_active', 'oidc-providers/7/'])
      expect((await api.ask('GET', path, undefined, { key: ann })).status).toBe(403);
  });
});

test('what is small on its way and large behind it is not read', async () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20, 'x'));
  const server = createServer((_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const door = openOutside({ launchpad: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  await expect(door.sshKeysOf('lp', 'ann')).rejects.toThrow(/more than 262144 bytes/);
  server.close();
});
