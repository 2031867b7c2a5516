import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Failure } from '../../contract/errors.ts';
import { formatIpv4 } from '../../contract/ipv4.ts';
import { chassisAddresses } from './chassis-addresses.ts';

test.each([
  ['10.0.0.9', ['10.0.0.9']],
  [' https://bmc.example:8443 ', ['https://bmc.example:8443']],
  ['bmc-7.example', ['bmc-7.example']],
  ['10.0.0.254-10.0.1.1', ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1']],
  ['10.0.0.4/30', ['10.0.0.5', '10.0.0.6']],
  ['fe80::1', ['fe80::1']],
])('%s', (text, expected) => {
  expect(chassisAddresses(text)).toEqual(expected);
});

test.each([
  '10.0.0.9-10.0.0.1',
  '10.0.0.1-x',
  '10.0.0.0/16',
  '10.0.0.1/24',
  '10.0.0.1 10.0.0.2',
  '10.0.0.1,10.0.0.2',
  '1.1.1.1-255.255.255.255',
])('%s is refused', (text) => {
  expect(() => chassisAddresses(text)).toThrow(Failure);
});

test('a range has both its ends and everything between, and nothing makes it throw but a Failure', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 300), fc.nat(255), (first, more) => {
      const addresses = chassisAddresses(`${formatIpv4(first)}-${formatIpv4(first + more)}`);
      expect([addresses.length, addresses[0], addresses.at(-1)]).toEqual([more + 1, formatIpv4(first), formatIpv4(first + more)]);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9./-]{0,40}$/)), (text) => {
      try {
        expect(chassisAddresses(text).length).toBeLessThanOrEqual(256);
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    }),
  );
});
