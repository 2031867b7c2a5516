import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeSecretKey } from '../db/secret-key.ts';
import { parseKey } from '../../http/oauth.ts';
import { hostNameFor } from './host-name.ts';
import { bootCredential, hashSecret, rescueNonce, secretMatches, systemCredential, type MachineCredential } from './machine-credential.ts';

const key = makeSecretKey(Buffer.alloc(32, 7));
const words = (credential: MachineCredential): string[] => [credential.consumerKey, credential.tokenKey, credential.tokenSecret];

test('the same boot gets the same answer, also from another process with the same key', () => {
  const again = makeSecretKey(Buffer.alloc(32, 7));
  expect(bootCredential(again, 'n', 'b')).toEqual(bootCredential(key, 'n', 'b'));
  expect(rescueNonce(again, 'x')).toEqual(rescueNonce(key, 'x'));
});

test('no two boots, deployments, keys or uses share a word of their credentials', () => {
  const text = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(text, text, text, text, (a, b, c, d) => {
      fc.pre(a !== c || b !== d);
      const one = words(bootCredential(key, a, b));
      const other = words(bootCredential(key, c, d));
      expect(one.filter((word) => other.includes(word))).toEqual([]);
      expect(words(systemCredential(key, a, 1)).filter((word) => words(systemCredential(key, a, 2)).includes(word))).toEqual([]);
    }),
  );
  const sets = [bootCredential(key, 's', '1'), systemCredential(key, 's', 1), bootCredential(makeSecretKey(randomBytes(32)), 's', '1')]
    .map(words)
    .flat();
  expect(new Set(sets).size).toBe(sets.length);
});

test('it fits into an API key, and only the very secret matches its hash', () => {
  const credential = bootCredential(key, 'nonce', 'boot');
  expect(words(credential).map((word) => word.length)).toEqual([18, 18, 32]);
  expect(parseKey(words(credential).join(':'))).toEqual({
    consumerKey: credential.consumerKey,
    token: credential.tokenKey,
    secret: credential.tokenSecret,
  });
  const hash = hashSecret(credential.tokenSecret);
  expect(secretMatches(credential.tokenSecret, hash)).toBe(true);
  expect(secretMatches(`${credential.tokenSecret} `, hash)).toBe(false);
  expect(secretMatches('', hash)).toBe(false);
  expect(rescueNonce(key, 'abc')).toMatch(/^[0-9a-f]{32}$/);
});

test('host names are labels of DNS, the same for the same machine, and one more try always differs', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[346789abcdfghkmnpqrtwxyz]{7}$/), (id) => {
      expect(hostNameFor(id, 0)).toMatch(/^[a-z]+-[a-z]+$/);
      expect(hostNameFor(id, 1)).toBe(`${hostNameFor(id, 0)}-${id}`);
      expect(hostNameFor(id, 1).length).toBeLessThanOrEqual(63);
    }),
  );
});
