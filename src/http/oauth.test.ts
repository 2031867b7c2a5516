import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../contract/errors.ts';
import { oauthHeader, oauthOfHeader, parseKey, parseOauthHeader } from './oauth.ts';

const pieces = {
  oauth_nonce: 'n1',
  oauth_timestamp: '1732000000',
  oauth_version: '1.0',
  oauth_signature_method: 'PLAINTEXT',
  oauth_consumer_key: 'CK',
  oauth_token: 'TK',
  oauth_signature: '%26TS',
};
const header = (pairs: Record<string, string>, separator = ', ') =>
  `OAuth ${Object.entries(pairs)
    .map(([name, value]) => `${name}="${value}"`)
    .join(separator)}`;

function failureFrom(action: () => unknown): Failure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return error as Failure;
  }
}

describe('reading', () => {
  test('takes any order, separator and realm', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(Object.entries(pieces), { minLength: 7 }),
        fc.constantFrom(',', ', ', ' , ', ',\t'),
        fc.constantFrom(undefined, '', 'OAuth', 'MAAS API', 'a%zz,b'),
        fc.constantFrom('OAuth ', 'oauth  '),
        (order, separator, realm, scheme) => {
          const pairs = { ...(realm === undefined ? {} : { realm }), ...Object.fromEntries(order) };
          const text = header(pairs, separator).replace('OAuth ', scheme);
          expect(oauthOfHeader(text)).toEqual({ consumerKey: 'CK', token: 'TK', secret: 'TS', timestamp: 1_732_000_000, nonce: 'n1' });
        },
      ),
    );
  });

  test('leaves other schemes alone', () => {
    expect(oauthOfHeader('Bearer abc')).toBeUndefined();
    expect(oauthOfHeader('OAuth2 abc')).toBeUndefined();
    expect(parseOauthHeader('')).toBeUndefined();
  });

  test.each(['oauth_consumer_key', 'oauth_token', 'oauth_signature', 'oauth_timestamp', 'oauth_nonce', 'oauth_signature_method'])(
    'answers 401 without %s',
    (name) => {
      const pairs = Object.fromEntries(Object.entries(pieces).filter(([key]) => key !== name));
      expect(failureFrom(() => oauthOfHeader(header(pairs)))?.status).toBe(401);
    },
  );

  test.each([
    ['timestamp that is no number', { oauth_timestamp: 'soon' }, 400],
    ['other signature method', { oauth_signature_method: 'HMAC-SHA1' }, 400],
    ['other version', { oauth_version: '2.0' }, 400],
    ['signature without &', { oauth_signature: 'TS' }, 400],
    ['bad escape', { oauth_token: '%zz' }, 400],
    ['NUL', { oauth_token: '%00' }, 400],
    ['invalid UTF-8', { oauth_token: '%ff' }, 400],
    ['consumer secret', { oauth_signature: 'CS%26TS' }, 401],
    ['empty secret', { oauth_signature: '%26' }, 401],
  ])('refuses a %s', (_, change, status) => {
    expect(failureFrom(() => oauthOfHeader(header({ ...pieces, ...change })))?.status).toBe(status);
  });

  test('refuses a parameter given twice', () => {
    expect(failureFrom(() => oauthOfHeader(`${header(pieces)}, oauth_token="X"`))?.status).toBe(400);
  });

  test('never throws anything but a Failure', () => {
    const mangled = fc
      .tuple(fc.constant(header(pieces)), fc.nat(200), fc.nat(20), fc.string({ unit: 'binary', maxLength: 20 }))
      .map(([text, at, drop, insert]) => text.slice(0, at) + insert + text.slice(at + drop));
    fc.assert(
      fc.property(
        fc.oneof(
          mangled,
          fc.string({ unit: 'binary' }).map((text) => `OAuth ${text}`),
        ),
        (text) => {
          failureFrom(() => oauthOfHeader(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is linear in a long hostile header', () => {
    const began = performance.now();
    for (const text of [`OAuth ${'a='.repeat(2000)}`, `OAuth a="${' '.repeat(4000)}`, `OAuth ${',a=b'.repeat(1000)}`]) {
      failureFrom(() => oauthOfHeader(text));
    }
    expect(performance.now() - began).toBeLessThan(500);
  });
});

describe('writing', () => {
  test('what is written is read back', () => {
    const part = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !/[:\s\p{Cc}\ud800-\udfff]/u.test(text));
    fc.assert(
      fc.property(part, part, part, (consumerKey, token, secret) => {
        expect(oauthOfHeader(oauthHeader(`${consumerKey}:${token}:${secret}`, 'n', 5000))).toEqual({
          consumerKey,
          token,
          secret,
          timestamp: 5,
          nonce: 'n',
        });
      }),
    );
  });

  test('refuses what is no key', () => {
    expect(parseKey('a:b')).toBeUndefined();
    expect(() => oauthHeader('a:b')).toThrow(RangeError);
  });
});
