import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIpv4, isHostOf, parseIpv4, parseSubnet } from './ipv4.ts';

test('addresses go there and back; no other text is one', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (address) => parseIpv4(formatIpv4(address)) === address));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV6()), (text) => {
      const address = parseIpv4(text);
      if (address !== undefined) expect(formatIpv4(address)).toBe(text);
    }),
  );
  for (const text of ['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '1.2.3.4/8', '-1.2.3.4']) expect(parseIpv4(text)).toBeUndefined();
});

test('subnets', () => {
  const net = parseSubnet('10.1.2.0/24')!;
  expect(['10.1.2.0', '10.1.2.1', '10.1.2.254', '10.1.2.255', '10.1.3.1'].map((text) => isHostOf(net, parseIpv4(text)!))).toEqual([
    false,
    true,
    true,
    false,
    false,
  ]);
  expect(isHostOf(parseSubnet('10.0.0.0/31')!, parseIpv4('10.0.0.0')!)).toBe(true);
  expect(isHostOf(parseSubnet('0.0.0.0/0')!, parseIpv4('255.1.1.1')!)).toBe(true);
  for (const text of ['10.1.2.1/24', '10.1.2.0/33', '10.1.2.0', '10.1.2.0/24/8', 'fd00::/64', '10.1.2.0/'])
    expect(parseSubnet(text)).toBeUndefined();
  fc.assert(fc.property(fc.string(), (text) => parseSubnet(text) === undefined || text.includes('/')));
});
