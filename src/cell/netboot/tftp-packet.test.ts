import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePacket, parsePacket, type TftpPacket } from './tftp-packet.ts';

const text = fc.string({ unit: fc.constantFrom(...'abcXYZ019./-_ '), minLength: 1, maxLength: 40 });
const options = fc
  .dictionary(fc.constantFrom('blksize', 'tsize', 'timeout', 'windowsize', 'multicast'), text)
  .map((pairs) => new Map(Object.entries(pairs)) as ReadonlyMap<string, string>);
const block = fc.integer({ min: 0, max: 65535 });
const packets: fc.Arbitrary<TftpPacket> = fc.oneof(
  fc.record({ op: fc.constantFrom('read' as const, 'write' as const), file: text, mode: fc.constant('octet'), options }),
  fc.record({ op: fc.constant('data' as const), block, data: fc.uint8Array({ maxLength: 1468 }) }),
  fc.record({ op: fc.constant('ack' as const), block }),
  fc.record({ op: fc.constant('error' as const), code: fc.integer({ min: 0, max: 8 }), message: text }),
  fc.record({ op: fc.constant('oack' as const), options: options.filter((map) => map.size > 0) }),
);

test('what is encoded is parsed back', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const parsed = parsePacket(encodePacket(packet));
      expect('packet' in parsed && parsed.packet.op).toBe(packet.op);
      if (!('packet' in parsed)) return;
      if (packet.op === 'data' && parsed.packet.op === 'data') {
        expect(Buffer.from(parsed.packet.data).equals(Buffer.from(packet.data))).toBe(true);
        expect(parsed.packet.block).toBe(packet.block);
      } else expect(parsed.packet).toEqual(packet);
    }),
  );
});

test('any bytes are a packet or a reason, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const parsed = parsePacket(bytes);
      expect('packet' in parsed || parsed.malformed.length > 0).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('bytes after a valid opcode are a packet or a reason, never a throw', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.uint8Array({ maxLength: 520 }), (opcode, rest) => {
      const parsed = parsePacket(Uint8Array.from([0, opcode, ...rest]));
      if ('packet' in parsed && (parsed.packet.op === 'read' || parsed.packet.op === 'write')) {
        expect(parsed.packet.file).toMatch(/^[\x20-\x7e]+$/);
        expect(rest.length).toBeLessThanOrEqual(510);
      }
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['no terminating zero', Buffer.from('\0\x01snponly.efi'), 'a string without its end'],
  ['an option without a value', Buffer.from('\0\x01a\0octet\0blksize\0'), 'an option without a value'],
  ['the same option twice', Buffer.from('\0\x01a\0octet\0tsize\x000\0TSIZE\x000\0'), 'the option "tsize" twice'],
  ['no file name', Buffer.from('\0\x01\0octet\0'), 'a request without file name or mode'],
  ['an unknown opcode', Buffer.from([0, 9, 0, 0]), 'the unknown opcode 9'],
  ['too few bytes', Buffer.from([0, 1]), 'only 2 bytes'],
])('%s is refused with its reason', (_, bytes, reason) => {
  expect(parsePacket(bytes)).toEqual({ malformed: reason });
});
