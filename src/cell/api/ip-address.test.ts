import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, formatNetwork, hostsOf, isHost, isInside, parseAddress, parseNetwork } from './ip-address.ts';

describe('addresses', () => {
  test.each([
    ['0.0.0.0', '0.0.0.0'],
    ['10.40.1.255', '10.40.1.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['FD00:0:0:0:0:0:0:1', 'fd00::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s', (text, plain) => {
    const address = parseAddress(text);
    expect(address && formatAddress(address)).toBe(plain);
  });

  test.each(['', '10', '1.2.3', '1.2.3.256', '01.2.3.4', ':::', '1::2::3', 'fe80::1%eth0', '1.2.3.4/8', ' 1.2.3.4', 'host'])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  test('what is written is read again as the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4 as const, value })),
          fc.bigInt(0n, 2n ** 128n - 1n).map((value) => ({ family: 6 as const, value })),
        ),
        (address) => {
          expect(parseAddress(formatAddress(address))).toEqual(address);
        },
      ),
    );
    fc.assert(fc.property(fc.ipV6(), (text) => (parseAddress(text)?.family === 6) === (isIP(text) === 6)));
    fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(parseAddress(text)!) === text));
  });

  test('no text makes it throw, and what it takes Node takes too', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:%/') })), (text) => {
        const address = parseAddress(text);
        if (address) expect(isIP(text)).toBe(address.family);
        parseNetwork(text);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('networks', () => {
  test.each([
    ['10.0.0.0/24', '10.0.0.0/24', '10.0.0.1', '10.0.0.254'],
    ['10.0.0.77/24', '10.0.0.0/24', '10.0.0.1', '10.0.0.254'],
    ['10.0.0.4/30', '10.0.0.4/30', '10.0.0.5', '10.0.0.6'],
    ['10.0.0.4/31', '10.0.0.4/31', '10.0.0.4', '10.0.0.5'],
    ['10.0.0.4/32', '10.0.0.4/32', '10.0.0.4', '10.0.0.4'],
    ['fd00::/126', 'fd00::/126', 'fd00::1', 'fd00::3'],
    ['fd00::/127', 'fd00::/127', 'fd00::', 'fd00::1'],
  ])('%s is %s with hosts %s to %s', (text, plain, first, last) => {
    const network = parseNetwork(text)!;
    expect(formatNetwork(network)).toBe(plain);
    const hosts = hostsOf(network);
    expect([hosts.first, hosts.last].map((value) => formatAddress({ family: network.family, value }))).toEqual([first, last]);
    expect(isHost(network, parseAddress(first)!)).toBe(true);
  });

  test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '/24', '10.0.0.0/2/4', '10.0.0.0/-1', 'fd00::/129', '10.0.0.0/0x8', ''])(
    '%j is none',
    (text) => {
      expect(parseNetwork(text)).toBeUndefined();
    },
  );

  test('families do not mix', () => {
    const network = parseNetwork('0.0.0.0/1')!;
    expect(isInside(network, { family: 6, value: 5n })).toBe(false);
    expect(isHost(network, { family: 6, value: 5n })).toBe(false);
  });
});
