import { describe, expect, test } from 'vitest';
import { clientAddress, clientHeader, nearestAddress, sealClient } from './client-address.ts';
import { GlobalMemory } from './memory.ts';
import { seal } from './seal.ts';
import { SignInAttempts } from './sign-in-attempts.ts';
import { generateSigningKey } from './signing-key.ts';

const front = generateSigningKey();
const reader = new GlobalMemory();
reader.apply({
  stream: 'config',
  to: { epoch: 1, n: 1 },
  whole: true,
  documents: [
    {
      kind: 'front',
      id: '1',
      stream: 'config',
      revision: { epoch: 1, n: 1 },
      retired: false,
      body: { number: 1, name: 'f1', key: front.text, url: '' },
    },
  ],
});
const now = 1_800_000_000_000;
const path = '/MAAS/accounts/session/';
const claims = { front: 'f1', address: '203.0.113.7', method: 'POST', path };
const request = (headers: Record<string, string>, address = '192.0.2.1') => ({ headers, address, method: 'POST', url: path });

describe('the address of a client', () => {
  test('behind a front is what the front has sealed, for this request and this minute', () => {
    const good = { [clientHeader]: sealClient(front.privateKey, claims, now) };
    expect(clientAddress(request(good), reader, now)).toBe('203.0.113.7');
    expect(clientAddress(request(good), reader, now + 200_000)).toBe('192.0.2.1');
    expect(clientAddress({ ...request(good), url: '/MAAS/accounts/authenticate/' }, reader, now)).toBe('192.0.2.1');
    expect(clientAddress({ ...request(good), method: 'PUT' }, reader, now)).toBe('192.0.2.1');
  });

  test.each([
    ['a stranger', sealClient(generateSigningKey().privateKey, claims, now)],
    ['in the name of another front', sealClient(front.privateKey, { ...claims, front: 'f2' }, now)],
    ['in a seal for another use', seal(front.privateKey, 'caller', { ...claims, exp: now / 1000 + 30 })],
    ['in clear', '203.0.113.7'],
    ['as nothing', ''],
  ])('that is told by %s counts for nothing', (_who, text) => {
    expect(clientAddress(request({ [clientHeader]: text }), reader, now)).toBe('192.0.2.1');
  });

  test('behind a proxy on the same machine is what the proxy saw, and only there', () => {
    expect(nearestAddress(request({ 'x-forwarded-for': '198.51.100.1, 203.0.113.9' }, '127.0.0.1'))).toBe('203.0.113.9');
    expect(nearestAddress(request({ 'x-forwarded-for': '203.0.113.9' }, '192.0.2.1'))).toBe('192.0.2.1');
    expect(nearestAddress(request({ 'x-forwarded-for': 'x'.repeat(5_000) }, '::1'))).toBe('::1');
  });
});

describe('wrong passwords', () => {
  const guess = (attempts: SignInAttempts, name: string, address: string, at: number): boolean => {
    try {
      attempts.check(name, address, at);
    } catch {
      return false;
    }
    attempts.failed(name, address, at);
    return true;
  };
  const guesses = (attempts: SignInAttempts, name: string, address: string, count: number): number =>
    Array.from({ length: count }, () => guess(attempts, name, address, now)).filter(Boolean).length;

  test('of one client: ten at one name, a hundred in all, and nobody else waits for it', () => {
    const attempts = new SignInAttempts();
    expect(guesses(attempts, 'admin', '203.0.113.7', 1_000)).toBe(10);
    expect(() => attempts.check('admin', '203.0.113.8', now)).not.toThrow();
    let all = 10;
    for (let n = 0; n < 50; n += 1) all += guesses(attempts, `u${n}`, '203.0.113.7', 10);
    expect(all).toBe(100);
    expect(() => attempts.check('ann', '203.0.113.7', now)).toThrow('wrong passwords');
    expect(() => attempts.check('ann', '203.0.113.8', now)).not.toThrow();
    expect(() => attempts.check('ann', '203.0.113.7', now + 61_000)).not.toThrow();
  });

  test('of many clients at one name: sixty', () => {
    const attempts = new SignInAttempts();
    let all = 0;
    for (let n = 0; n < 20; n += 1) all += guesses(attempts, 'admin', `203.0.113.${n}`, 10);
    expect(all).toBe(60);
  });

  test('of one /64 are of one client', () => {
    const attempts = new SignInAttempts();
    const hosts = ['2001:db8:0:7::1', '2001:db8:0:7:ffff:1:2:3', '2001:0db8:0000:0007::9', '2001:DB8:0:7:0:0:0:9'];
    expect(hosts.map((host) => guesses(attempts, 'admin', host, 10))).toEqual([10, 0, 0, 0]);
    expect(guesses(attempts, 'admin', '2001:db8:0:8::1', 10)).toBe(10);
    expect(guesses(attempts, 'admin', '2001:db8::7', 10)).toBe(10);
  });
});
