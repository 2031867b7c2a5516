import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePacket, type TftpPacket } from './tftp-packet.ts';
import { beginTransfer, bytesSent, expire, receive, type Step } from './tftp-transfer.ts';

const none = new Map<string, string>();
const asked = (options: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(options));

function packet(bytes: Uint8Array): TftpPacket {
  const parsed = parsePacket(bytes);
  if (!('packet' in parsed)) throw new Error(parsed.malformed);
  return parsed.packet;
}
const blocksOf = (step: Step): number[] => step.send.map(packet).flatMap((sent) => (sent.op === 'data' ? [sent.block] : []));
const ack = (step: Step, block: number): Step => receive(step.transfer, { op: 'ack', block });

/** A client over a line that loses packets in both directions as `losses` says; returns what arrived. */
function download(file: Uint8Array, options: ReadonlyMap<string, string>, losses: readonly boolean[]) {
  let at = 0;
  const lost = (): boolean => losses[at++ % losses.length] === true && at < 400;
  let step = beginTransfer(file, options);
  const parts: Uint8Array[] = [];
  let expected = 1;
  let agreed = { size: 512, window: 1 };
  let sent = 0;
  for (let round = 0; round < 5000; round += 1) {
    let answer: number | undefined;
    let gap = false;
    for (const bytes of step.send) {
      sent += 1;
      if (lost()) continue;
      const got = packet(bytes);
      if (got.op === 'oack') {
        agreed = { size: Number(got.options.get('blksize') ?? 512), window: Number(got.options.get('windowsize') ?? 1) };
        answer = 0;
      } else if (got.op === 'data') {
        if (got.block === (expected & 0xffff)) {
          parts.push(Uint8Array.from(got.data));
          expected += 1;
          answer = expected - 1;
        } else gap = true;
      }
    }
    if (gap && answer === undefined && expected > 1) answer = expected - 1;
    const next = answer === undefined || lost() ? expire(step.transfer) : ack(step, answer & 0xffff);
    step = next.send.length || next.outcome ? next : expire(next.transfer);
    if (step.outcome) break;
  }
  return { outcome: step.outcome, got: Buffer.concat(parts), step, agreed, sent };
}

test('a file arrives whole whatever is lost on the way (as long as retries suffice)', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 9000 }),
      fc.constantFrom<Record<string, string>>(
        {},
        { blksize: '512' },
        { blksize: '1024', windowsize: '4' },
        { windowsize: '16', tsize: '0' },
      ),
      fc
        .array(fc.boolean(), { minLength: 1, maxLength: 40 })
        .filter((losses) => !losses.join().includes('true,true') && losses.includes(false)),
      (file, options, losses) => {
        const { outcome, got } = download(file, asked(options), losses);
        // The client has all bytes even when our last ACK was lost and the server can only say that it timed out.
        if (outcome === 'sent') expect(got.equals(Buffer.from(file))).toBe(true);
        else expect(outcome).toBe('timed-out');
      },
    ),
    { numRuns: 300 },
  );
});

test('without losses it is sent, each block once, and block numbers roll over', () => {
  const file = new Uint8Array(8 * 70_000).map((_, i) => i % 251);
  const { outcome, got, sent, step } = download(file, asked({ blksize: '8', windowsize: '16' }), [false]);
  expect(outcome).toBe('sent');
  expect(got.equals(Buffer.from(file))).toBe(true);
  expect(sent).toBe(1 + 70_001);
  expect(bytesSent(step.transfer)).toBe(file.length);
}, 20_000);

test('a late copy of an ACK sends nothing (sorcerer’s apprentice)', () => {
  let step = beginTransfer(new Uint8Array(5000), none);
  expect(blocksOf(step)).toEqual([1]);
  step = ack(step, 1);
  expect(blocksOf(step)).toEqual([2]);
  for (const block of [1, 0, 1, 65535, 3]) expect(ack(step, block).send).toEqual([]);
});

test('in a window a repeated ACK sends the window again once, then waits for the clock', () => {
  let step = beginTransfer(new Uint8Array(20_000), asked({ windowsize: '4' }));
  step = ack(step, 0);
  expect(blocksOf(step)).toEqual([1, 2, 3, 4]);
  step = ack(step, 0);
  expect(blocksOf(step)).toEqual([1, 2, 3, 4]);
  for (let i = 0; i < 50; i += 1) {
    step = ack(step, 0);
    expect(step.send).toEqual([]);
  }
  expect(blocksOf(expire(step.transfer))).toEqual([1, 2, 3, 4]);
  expect(blocksOf(ack(step, 2))).toEqual([3, 4, 5, 6]);
});

test('options: capped, senseless ones left out, tsize answered, nothing asked means no OACK', () => {
  const first = (options: Record<string, string>): TftpPacket => packet(beginTransfer(new Uint8Array(1000), asked(options)).send[0]!);
  expect(first({ blksize: '65464', tsize: '0', windowsize: '64', timeout: '3' })).toEqual({
    op: 'oack',
    options: asked({ blksize: '1468', windowsize: '16', timeout: '3', tsize: '1000' }),
  });
  expect(first({ blksize: '7', timeout: '0', windowsize: 'x', tsize: '-1', multicast: '' }).op).toBe('data');
  expect(first({}).op).toBe('data');
});

test('error 8 after the OACK is a size probe: aborted, nothing sent', () => {
  const step = receive(beginTransfer(new Uint8Array(10), asked({ tsize: '0' })).transfer, {
    op: 'error',
    code: 8,
    message: 'User aborted the transfer',
  });
  expect(step).toMatchObject({ outcome: 'aborted', reason: 'error 8 User aborted the transfer', send: [] });
});

test('silence: waits double up to 8 s, then it gives up', () => {
  let step: Step = beginTransfer(new Uint8Array(10), none);
  const waits = [step.transfer.timeoutMs];
  while (!(step = expire(step.transfer)).outcome) waits.push(step.transfer.timeoutMs);
  expect(waits).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
  expect(step.outcome).toBe('timed-out');
});

test('no packet, in any order, makes more than one window in answer', () => {
  const packets = fc.oneof(
    fc.record({ op: fc.constant('ack' as const), block: fc.integer({ min: 0, max: 65535 }) }),
    fc.record({ op: fc.constant('ack' as const), block: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ op: fc.constant('error' as const), code: fc.integer({ min: 0, max: 8 }), message: fc.string() }),
    fc.record({ op: fc.constant('data' as const), block: fc.nat(9), data: fc.uint8Array() }),
  );
  fc.assert(
    fc.property(fc.array(packets), (arriving) => {
      let step = beginTransfer(new Uint8Array(30_000), asked({ windowsize: '8' }));
      for (const each of arriving) {
        step = receive(step.transfer, each);
        expect(step.send.length).toBeLessThanOrEqual(8);
        if (step.outcome) return;
      }
    }),
  );
});
