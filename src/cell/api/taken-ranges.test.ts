import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, hostsOf, parseAddress, parseNetwork } from './ip-address.ts';
import { occupationOf, statisticsOf, type Taking } from './taken-ranges.ts';

const network = parseNetwork('10.0.0.0/26')!;
const hosts = hostsOf(network);
const address = fc.bigInt(network.first, network.last).map((value) => formatAddress({ family: 4, value }));
const taking = fc
  .record({ a: address, b: address, purpose: fc.constantFrom('dynamic', 'reserved', 'assigned-ip', 'gateway-ip') })
  .map(({ a, b, purpose }): Taking => {
    const [start, end] = parseAddress(a)!.value <= parseAddress(b)!.value ? [a, b] : [b, a];
    return { start, end, purpose: purpose as Taking['purpose'] };
  });

const valueOf = (text: string): bigint => parseAddress(text)!.value;

describe('what is taken and what is free', () => {
  test('parts are whole, in order, without overlap, and each address has exactly its purposes', () => {
    fc.assert(
      fc.property(fc.array(taking, { maxLength: 8 }), fc.boolean(), (takings, managed) => {
        const { taken, free } = occupationOf(network, takings, managed);
        const parts = [...taken, ...free.map((part) => ({ ...part, purpose: [] as string[] }))].toSorted((a, b) =>
          Number(valueOf(a.start) - valueOf(b.start)),
        );
        let next = hosts.first;
        for (const part of parts) {
          expect(valueOf(part.start)).toBe(next);
          expect(part.num_addresses).toBe(Number(valueOf(part.end) - valueOf(part.start) + 1n));
          for (let at = valueOf(part.start); at <= valueOf(part.end); at += 1n) {
            const said = new Set<string>(
              takings.filter((one) => valueOf(one.start) <= at && at <= valueOf(one.end)).map((one) => one.purpose),
            );
            if (!managed && !said.delete('reserved')) said.add('unmanaged');
            expect(new Set(part.purpose)).toEqual(said);
          }
          next = valueOf(part.end) + 1n;
        }
        expect(next).toBe(hosts.last + 1n);
      }),
      { numRuns: 60 },
    );
  });

  test('a /16 full of addresses is counted in a moment', () => {
    const wide = parseNetwork('10.0.0.0/16')!;
    const takings = Array.from({ length: 30_000 }, (_, n): Taking => {
      const ip = formatAddress({ family: 4, value: wide.first + BigInt(2 * n + 1) });
      return { start: ip, end: ip, purpose: 'assigned-ip' };
    });
    const began = performance.now();
    expect(statisticsOf(wide, occupationOf(wide, takings, true))).toMatchObject({ total_addresses: 65_534, num_unavailable: 30_000 });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test('a full subnet has no free part', () => {
    const full = occupationOf(network, [{ start: '10.0.0.0', end: '10.0.0.63', purpose: 'reserved' }], true);
    expect(full.free).toEqual([]);
    expect(statisticsOf(network, full)).toMatchObject({
      num_available: 0,
      largest_available: 0,
      usage: 1,
      usage_string: '100%',
      available_string: '0%',
    });
  });
});
