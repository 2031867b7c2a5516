import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeEvent, eventParser, readEvents } from './event-stream.ts';
import type { ServerEvent } from './event-stream.ts';
import { eventStream } from './event-writer.ts';

const line = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[\r\n\0]/.test(text));
const event = fc.record(
  {
    data: fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n')),
    id: line,
    event: line.filter((text) => text !== ''),
    retry: fc.nat(1e6),
  },
  { requiredKeys: ['data'] },
);

describe('format', () => {
  test('what is written is read back, however it is cut, whatever ends its lines', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
        (events, end, cuts) => {
          let id: string | undefined;
          const expected = events.map((one) => {
            id = one.id ?? id;
            return { event: 'message', ...one, ...(id === undefined ? {} : { id }) };
          });
          let text = events.map(encodeEvent).join('').replaceAll('\n', end);
          // A lone CR at the very end waits for its LF.
          if (end === '\r') text += ':';
          const parser = eventParser();
          const found: ServerEvent[] = [];
          while (text !== '') {
            const cut = cuts.next().value ?? 1;
            found.push(...parser.push(text.slice(0, cut)));
            text = text.slice(cut);
          }
          expect(found).toEqual(expected);
        },
      ),
    );
  });

  test('comments, unknown fields and events without data are nothing', () => {
    expect(eventParser().push('\uFEFF:hello\nfoo: bar\nevent: x\n\ndata\n\nretry: soon\ndata:a\ndata: b\n\n')).toEqual([
      { event: 'message', data: '' },
      { event: 'message', data: 'a\nb' },
    ]);
  });

  test('never throws but for size', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (chunks) => {
        const parser = eventParser();
        for (const chunk of chunks) parser.push(chunk);
      }),
    );
    expect(() => eventParser().push(`data: ${'x'.repeat(2 << 20)}`)).toThrow(RangeError);
    const parser = eventParser();
    expect(() => {
      for (let n = 0; n < 3000; n += 1) parser.push(`data: ${'x'.repeat(1000)}\n`);
    }).toThrow(RangeError);
  });

  test('an id of two lines is not written', () => {
    expect(() => encodeEvent({ id: 'a\nb', data: '' })).toThrow(RangeError);
  });
});

describe('writer', () => {
  const open = (source: AsyncIterable<ServerEvent>, options = {}) => {
    const gone = new AbortController();
    const draining = new AbortController();
    const reply = eventStream(source, { signal: gone.signal, draining: draining.signal }, options);
    return { body: reply.body as Readable, gone, draining };
  };
  async function* forever(state: { made: number; closed: boolean }): AsyncGenerator<ServerEvent> {
    try {
      for (;;) {
        state.made += 1;
        yield { data: 'x'.repeat(1000) };
      }
    } finally {
      state.closed = true;
    }
  }

  test('sends what the source gives, then ends', async () => {
    async function* source() {
      yield { data: 'a', id: '1' };
      yield { data: 'b' };
    }
    const { body } = open(source());
    const found: ServerEvent[] = [];
    for await (const one of readEvents(Readable.toWeb(body) as ReadableStream<Uint8Array>)) found.push(one);
    expect(found).toEqual([
      { event: 'message', data: 'a', id: '1' },
      { event: 'message', data: 'b', id: '1' },
    ]);
  });

  test('asks for no more than a slow client takes, and cuts off one that takes nothing', async () => {
    const state = { made: 0, closed: false };
    const { body } = open(forever(state), { stalledMs: 100 });
    const failed = new Promise((resolve) => body.once('error', resolve));
    body.read(0);
    await sleep(50);
    expect(state.made).toBeGreaterThan(10);
    expect(state.made).toBeLessThan(200);
    expect(String(await failed)).toContain('takes nothing');
    await sleep(5);
    expect(state.closed).toBe(true);
  });

  test('beats while nothing happens, ends when the program drains', async () => {
    async function* silent(): AsyncGenerator<ServerEvent> {
      await new Promise(() => undefined);
      yield { data: 'never' };
    }
    const { body, draining } = open(silent(), { heartbeatMs: 20 });
    let text = '';
    body.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await sleep(150);
    expect(text.length).toBeGreaterThanOrEqual(9);
    expect(text.replaceAll(':\n\n', '')).toBe('');
    const ended = new Promise((resolve) => body.once('end', resolve));
    draining.abort();
    await ended;
  });

  test('a source that fails breaks the stream off; a client that goes closes the source', async () => {
    async function* failing(): AsyncGenerator<ServerEvent> {
      yield { data: 'a' };
      throw new Error('database is away');
    }
    const broken = open(failing()).body;
    const failed = new Promise((resolve) => broken.once('error', resolve));
    broken.resume();
    expect(String(await failed)).toContain('database is away');

    const state = { made: 0, closed: false };
    const { body, gone } = open(forever(state));
    body.read(0);
    await sleep(10);
    gone.abort();
    await sleep(10);
    expect([body.destroyed, state.closed]).toEqual([true, true]);
  });
});
