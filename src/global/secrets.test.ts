import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashSecret, mintApiKey, secretFits } from './api-key.ts';
import { checkPassword, makeVerifier, randomSecret } from './password.ts';
import { formatRevision, parseRevision } from './revision.ts';
import { sessionOfCookies } from './session.ts';
import { SignInAttempts } from './sign-in-attempts.ts';
import { parseSshKey } from './ssh-key.ts';

describe('passwords', () => {
  test('fit their verifier and no other; salted; composed and decomposed letters are the same', async () => {
    const [one, two] = await Promise.all([makeVerifier('pässword'), makeVerifier('pässword')]);
    expect(one).not.toBe(two);
    expect(one).toMatch(/^scrypt\$32768\$8\$1\$/);
    expect(await checkPassword('pässword'.normalize('NFD'), one)).toBe(true);
    expect(await checkPassword('password', one)).toBe(false);
    expect(await checkPassword('', one)).toBe(false);
  });

  test('an unknown user takes as long as a wrong password', async () => {
    const verifier = await makeVerifier('x');
    const timed = async (stored: string | undefined): Promise<number> => {
      const began = performance.now();
      expect(await checkPassword('wrong', stored)).toBe(false);
      return performance.now() - began;
    };
    await timed(verifier);
    const known = await timed(verifier);
    expect(await timed(undefined)).toBeGreaterThan(known / 5);
  });

  test('a verifier with other parameters still works; a damaged one fits nothing', async () => {
    const verifier = await makeVerifier('x');
    expect(await checkPassword('x', verifier.slice(0, -3))).toBe(false);
    expect(await checkPassword('x', 'plain')).toBe(false);
  });
});

describe('API keys', () => {
  test('are of MAAS lengths, and only their own secret fits', () => {
    const key = mintApiKey();
    expect([key.consumer.length, key.token.length, key.secret.length]).toEqual([18, 18, 32]);
    expect(secretFits(key.secret, hashSecret(key.secret))).toBe(true);
    fc.assert(fc.property(fc.string(), fc.string(), (secret, hash) => !secretFits(secret, hash)));
    expect(new Set(Array.from({ length: 1000 }, () => randomSecret(18))).size).toBe(1000);
  });
});

describe('texts from outside', () => {
  test('a revision', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (epoch, n) => {
        if (epoch < 1e9) expect(parseRevision(formatRevision({ epoch, n }))).toEqual({ epoch, n });
      }),
    );
    for (const text of ['', '1', '1.', '.1', '1.-1', '1.1.1', ' 1.1', '1e3.1', '9999999999.1']) expect(parseRevision(text)).toBeUndefined();
  });

  test('a cookie header', () => {
    fc.assert(fc.property(fc.string(), (text) => sessionOfCookies(text) !== ''));
    expect(sessionOfCookies('a=b;muster_session=x.y; c')).toBe('x.y');
    expect(sessionOfCookies('not_muster_session=x')).toBeUndefined();
    expect(sessionOfCookies('muster_session=')).toBeUndefined();
  });

  test('an SSH key', () => {
    const blob = (type: string, rest = 'k'.repeat(32)): string => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(type.length);
      return Buffer.concat([length, Buffer.from(type), Buffer.from(rest)]).toString('base64');
    };
    const good = `ssh-ed25519 ${blob('ssh-ed25519')}`;
    expect(parseSshKey(`  ${good} me and my laptop \n`)).toEqual({
      type: 'ssh-ed25519',
      blob: blob('ssh-ed25519'),
      line: `${good} me and my laptop`,
    });
    for (const bad of [
      `command="rm" ${good}`,
      `${good}\n${good}`,
      `ssh-rsa ${blob('ssh-ed25519')}`,
      `ssh-dss ${blob('ssh-dss')}`,
      `ssh-ed25519 ${blob('ssh-ed25519', '')}`,
      'ssh-ed25519 AAAA',
      '-----BEGIN OPENSSH PRIVATE KEY-----',
    ])
      expect(parseSshKey(bad)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => parseSshKey(text) === undefined));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        (bytes) => parseSshKey(`ssh-rsa ${Buffer.from(bytes).toString('base64')}`) === undefined,
      ),
    );
  });
});

test('failed sign-ins are counted for a minute, by name and address', () => {
  const attempts = new SignInAttempts();
  for (let count = 0; count < 10; count += 1) attempts.failed('ann', '192.0.2.1', 1000 + count);
  expect(() => attempts.check('ann', '192.0.2.1', 2000)).toThrow('Too many wrong passwords');
  expect(() => attempts.check('ann', '192.0.2.2', 2000)).not.toThrow();
  expect(() => attempts.check('bob', '192.0.2.1', 2000)).not.toThrow();
  expect(() => attempts.check('ann', '192.0.2.1', 62_000)).not.toThrow();
});

test('of 50 guesses at once ten are looked at; an attempt that was right is given back', () => {
  const attempts = new SignInAttempts();
  let begun = 0;
  for (let n = 0; n < 50; n += 1) {
    try {
      attempts.begin('ann', '192.0.2.1', 1000);
      begun += 1;
    } catch {}
  }
  expect(begun).toBe(10);
  for (let n = 0; n < 50; n += 1) attempts.begin('bob', '192.0.2.9', 1000 + n)();
});
