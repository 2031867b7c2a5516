import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../contract/errors.ts';
import type { CallRequest } from '../http/handler.ts';
import type { OauthCredentials } from '../http/oauth.ts';
import { hashSecret } from './api-key.ts';
import { makeAssertion, type AssertionClaims } from './assertion.ts';
import { createAuthenticate } from './authentication.ts';
import { sealCaller, type CallerClaims } from './caller-seal.ts';
import type { Document } from './document.ts';
import type { BodyOf } from './kinds.ts';
import { GlobalMemory } from './memory.ts';
import { seal, unseal } from './seal.ts';
import { mintSession } from './session.ts';
import { generateSigningKey } from './signing-key.ts';

const hub = generateSigningKey();
const front = generateSigningKey();
const cell = generateSigningKey();
const stranger = generateSigningKey();
const secret = 's'.repeat(32);
const noon = Date.UTC(2026, 10, 23, 12);

const root: BodyOf<'user'> = { id: 2, username: 'root', email: '', is_superuser: true, is_local: true, generation: 3 };

function memoryWith(user: BodyOf<'user'>, extra: Partial<Document>[] = []): GlobalMemory {
  const memory = new GlobalMemory();
  const document = (given: Partial<Document>, n: number): Document => ({
    kind: 'user',
    id: '',
    stream: 'access',
    revision: { epoch: 1, n },
    retired: false,
    body: {},
    ...given,
  });
  const access = [
    { kind: 'user', id: '2', body: user },
    { kind: 'user', id: '3', body: { ...user, id: 3, username: 'gone' }, retired: true },
    { kind: 'token', id: 'tk', body: { user: 2, consumer: 'ck', hash: hashSecret(secret), name: '' } },
    { kind: 'token', id: 'orphan', body: { user: 3, consumer: 'ck', hash: hashSecret(secret), name: '' } },
    { kind: 'token', id: 'revoked', body: { user: 2, consumer: 'ck', hash: hashSecret(secret), name: '' }, retired: true },
    ...extra,
  ].map((it, at) => document(it, at + 1));
  memory.apply({ stream: 'access', to: { epoch: 1, n: 100 }, whole: true, documents: access });
  const config = [
    { kind: 'front', id: '1', body: { number: 1, name: 'f1', key: front.text, url: '' } },
    { kind: 'cell', id: '17', body: { number: 17, name: 'c17', key: cell.text, url: '', out: false } },
    { kind: 'front', id: '2', body: { number: 2, name: 'f2', key: front.text, url: '' }, retired: true },
  ].map((it, at) => ({ ...document(it, at + 1), stream: 'config' as const }));
  memory.apply({ stream: 'config', to: { epoch: 1, n: 100 }, whole: true, documents: config });
  return memory;
}

const authenticate = createAuthenticate({ reader: memoryWith(root), audience: 'c17', sessionKey: hub.publicKey, now: () => noon });

const url = '/MAAS/api/2.0/machines/?op=allocate';
function request(headers: Record<string, string>): CallRequest {
  const never = new AbortController().signal;
  return {
    id: 'r',
    method: 'POST',
    url,
    headers,
    address: '192.0.2.1',
    origin: 'http://cell',
    certificate: undefined,
    cell: undefined,
    signal: never,
    draining: never,
    idempotencyKey: undefined,
  };
}

const oauth = (given: Partial<OauthCredentials> = {}): OauthCredentials => ({
  consumerKey: 'ck',
  token: 'tk',
  secret,
  timestamp: 1,
  nonce: 'n',
  ...given,
});

async function outcome(headers: Record<string, string>, credentials?: OauthCredentials): Promise<string> {
  try {
    const caller = await authenticate(request(headers), credentials);
    if (caller.kind === 'user') return `${caller.username}${caller.admin ? '!' : ''} by ${caller.via}`;
    return caller.kind === 'cell' ? `${caller.role} ${caller.name} ${caller.number}` : caller.kind;
  } catch (error) {
    return error instanceof Failure ? error.code : String(error);
  }
}

describe('API keys', () => {
  test.each([
    ['a good one', oauth(), 'root! by key'],
    ['a wrong secret', oauth({ secret: 't'.repeat(32) }), 'unauthorized'],
    ['an empty secret', oauth({ secret: '' }), 'unauthorized'],
    ['another consumer', oauth({ consumerKey: 'other' }), 'unauthorized'],
    ['an unknown token', oauth({ token: 'nope' }), 'unauthorized'],
    ['a revoked token', oauth({ token: 'revoked' }), 'unauthorized'],
    ['the token of a retired user', oauth({ token: 'orphan' }), 'unauthorized'],
    ['the hash instead of the secret', oauth({ secret: hashSecret(secret) }), 'unauthorized'],
    ['a name of every object', oauth({ token: '__proto__' }), 'unauthorized'],
    ['none at all', undefined, 'anonymous'],
  ])('%s', async (_what, credentials, expected) => expect(await outcome({}, credentials)).toBe(expected));
});

describe('sessions', () => {
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  const cookie = (text: string) => ({ cookie: `a=b; muster_session=${text}; c=d` });
  const good = mintSession(hub.privateKey, root, noon - 600_000);
  const old = mintSession(hub.privateKey, root, noon - 901_000);
  const claims = { session: 's', user: 2, generation: 3, until: noon / 1000 + 600 };
  test.each([
    ['a good one as bearer', bearer(good), 'root! by session'],
    ['a good one as cookie', cookie(good), 'root! by session'],
    ['an expired bearer', bearer(old), 'unauthorized'],
    ['an expired cookie does not stand in the way', cookie(old), 'anonymous'],
    ['signed by somebody else', bearer(mintSession(stranger.privateKey, root, noon)), 'unauthorized'],
    ['from before the password changed', bearer(mintSession(hub.privateKey, { ...root, generation: 2 }, noon)), 'unauthorized'],
    ['of a retired user', bearer(mintSession(hub.privateKey, { ...root, id: 3 }, noon)), 'unauthorized'],
    ['one that would last for days', bearer(seal(hub.privateKey, 'session', { ...claims, until: noon / 1000 + 90_000 })), 'unauthorized'],
    ['sealed for another use', bearer(seal(hub.privateKey, 'batch', claims)), 'unauthorized'],
    ['of another shape', bearer(seal(hub.privateKey, 'session', { ...claims, user: 'root' })), 'unauthorized'],
    ['garbage', bearer('garbage'), 'unauthorized'],
  ])('%s', async (_what, headers, expected) => expect(await outcome(headers)).toBe(expected));

  test('signed out', async () => {
    const reader = memoryWith(root, [{ kind: 'revocation', id: 's', body: { user: 2, until: 0 } }]);
    const check = createAuthenticate({ reader, audience: 'c17', sessionKey: hub.publicKey, now: () => noon });
    expect(() => check(request(bearer(seal(hub.privateKey, 'session', claims))), undefined)).toThrow(Failure);
  });
});

describe('assertions', () => {
  const claims: Omit<AssertionClaims, 'exp'> = {
    user: 'root',
    userId: 2,
    admin: true,
    generation: 3,
    cell: 'c17',
    method: 'POST',
    path: url,
    front: 'f1',
  };
  const header = (given: Partial<AssertionClaims>, key = front, at = noon) => ({
    'muster-assertion': makeAssertion(key.privateKey, { ...claims, ...given }, at),
  });
  test.each([
    ['a good one', header({}), 'root! by assertion'],
    ['its word on rights is not taken for a known user', header({ admin: false }), 'root! by assertion'],
    ['of a newer generation than here', header({ generation: 4 }), 'root! by assertion'],
    ['of a user who is new here', header({ user: 'new', userId: 99, admin: false, generation: 1 }), 'new by assertion'],
    ['for another cell', header({ cell: 'c18' }), 'unauthorized'],
    ['for another method', header({ method: 'GET' }), 'unauthorized'],
    ['for another path', header({ path: url.replace('allocate', 'release') }), 'unauthorized'],
    ['of an older generation', header({ generation: 2 }), 'unauthorized'],
    ['of a retired user', header({ user: 'gone', userId: 3 }), 'unauthorized'],
    ['of another user under this id', header({ user: 'gone' }), 'unauthorized'],
    ['two minutes old', header({}, front, noon - 120_000), 'unauthorized'],
    ['from the future', header({}, front, noon + 120_000), 'unauthorized'],
    ['signed by a stranger', header({}, stranger), 'unauthorized'],
    ["signed by a cell in a front's name", header({}, cell), 'unauthorized'],
    ['of a retired front', header({ front: 'f2' }), 'unauthorized'],
    ['of a cell as if it were a front', header({ front: 'c17' }, cell), 'unauthorized'],
    ['garbage', { 'muster-assertion': 'x' }, 'unauthorized'],
  ])('%s', async (_what, headers, expected) => expect(await outcome(headers)).toBe(expected));

  test('a bad one is refused even beside a good key', async () => {
    expect(await outcome(header({ cell: 'c18' }), oauth())).toBe('unauthorized');
  });

  test('nobody asserts to a front', () => {
    const check = createAuthenticate({ reader: memoryWith(root), audience: undefined, sessionKey: hub.publicKey, now: () => noon });
    expect(() => check(request(header({})), undefined)).toThrow(Failure);
  });
});

describe('registered cells and fronts', () => {
  const claims: CallerClaims = { role: 'cell', name: 'c17', process: 'p', method: 'POST', path: url, at: noon / 1000 };
  const header = (given: Partial<CallerClaims>, key = cell) => ({ 'muster-caller': sealCaller(key.privateKey, { ...claims, ...given }) });
  test.each([
    ['a cell', header({}), 'cell c17 17'],
    ['a front', header({ role: 'front', name: 'f1' }, front), 'front f1 1'],
    ['a clock five minutes off', header({ at: noon / 1000 - 299 }), 'cell c17 17'],
    ['ten minutes old', header({ at: noon / 1000 - 600 }), 'unauthorized'],
    ['in another name', header({ name: 'c18' }), 'unauthorized'],
    ['in another role', header({ role: 'front', name: 'f1' }), 'unauthorized'],
    ['for another path', header({ path: '/' }), 'unauthorized'],
    ['a retired front is told so', header({ role: 'front', name: 'f2' }, front), 'retired'],
    ['somebody in the name of a retired front', header({ role: 'front', name: 'f2' }, cell), 'unauthorized'],
  ])('%s', async (_what, headers, expected) => expect(await outcome(headers)).toBe(expected));
});

describe('seals', () => {
  test('what was sealed comes back, for its use and key only', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (claims) => {
        const text = seal(hub.privateKey, 'batch', claims);
        expect(unseal(hub.publicKey, 'batch', text)).toEqual(JSON.parse(JSON.stringify(claims)));
        expect(unseal(hub.publicKey, 'session', text)).toBeUndefined();
        expect(unseal(stranger.publicKey, 'batch', text)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test('any header text gives an answer, never a crash', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.jsonValue().map((claims) => seal(front.privateKey, 'assertion', claims)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('muster-assertion', 'muster-caller', 'authorization', 'cookie'), text, async (name, value) => {
        const given = name === 'authorization' ? `Bearer ${value}` : name === 'cookie' ? `muster_session=${value}` : value;
        expect(['unauthorized', 'anonymous']).toContain(await outcome({ [name]: given }));
      }),
      { numRuns: 300 },
    );
  });
});
