import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatenated, elementsOf, mergedItems, written } from './array-merge.ts';
import { ArrayScanner, BrokenArray } from './array-scanner.ts';
import { comparison } from './list-order.ts';

/** Text in chunks cut anywhere, also inside a character. */
async function* chunked(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
const list = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 5 });
const written2 = fc.constantFrom(undefined, 1, '\t');

test('arrays of any JSON, cut anywhere and indented anyhow, are one array in order', async () => {
  const property = fc.asyncProperty(fc.array(fc.tuple(list, sizes, written2), { maxLength: 4 }), async (sources) => {
    const bytes = sources.map(([items, cuts, indent]) => chunked(JSON.stringify(items, null, indent), cuts));
    const whole = sources.flatMap(([items]) => items);
    expect(JSON.parse(await textOf(concatenated(bytes)))).toEqual(JSON.parse(JSON.stringify(whole)));
  });
  await fc.assert(property, { numRuns: 500 });
});

test('elements come one by one, as they were written', async () => {
  const property = fc.asyncProperty(list, sizes, written2, async (items, cuts, indent) => {
    const found = [];
    for await (const element of elementsOf(chunked(JSON.stringify(items, null, indent), cuts)))
      found.push(JSON.parse(element.toString()) as unknown);
    expect(found).toEqual(JSON.parse(JSON.stringify(items)));
  });
  await fc.assert(property, { numRuns: 500 });
});

test('sorted lists are merged into one sorted list', async () => {
  const order = { field: 'name', tie: 'id', falling: false };
  const items = fc.array(fc.record({ name: fc.string({ maxLength: 3 }), id: fc.integer() }), { maxLength: 6 });
  const property = fc.asyncProperty(fc.array(fc.tuple(items, sizes), { maxLength: 4 }), fc.boolean(), async (sources, falling) => {
    const compare = comparison({ ...order, falling });
    const bytes = sources.map(([given, cuts]) => chunked(JSON.stringify(given.toSorted(compare)), cuts));
    const merged = JSON.parse(await textOf(written(mergedItems(bytes, compare)))) as unknown[];
    expect(merged).toEqual(sources.flatMap(([given]) => given).sort(compare));
  });
  await fc.assert(property, { numRuns: 300 });
});

describe('what is no whole array is an error, wherever it is cut', () => {
  test('every prefix of an array', async () => {
    const text = '[ {"a":"]\\"["}, [1,2] , "x" ]';
    for (let length = 0; length < text.length; length += 1) {
      await expect(textOf(concatenated([chunked(text.slice(0, length), [3])]))).rejects.toThrow(BrokenArray);
    }
    expect(JSON.parse(await textOf(concatenated([chunked(text, [3])])))).toHaveLength(3);
  });

  test.each(['{}', 'null', '"a"', '[1] 2', '[1]]', '[1}', '', '   ', '[][]'])('%s', async (text) => {
    await expect(textOf(concatenated([chunked(text, [2])]))).rejects.toThrow(BrokenArray);
  });

  test('no bytes make it crash otherwise', () => {
    const property = fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), (chunks) => {
      const scanner = new ArrayScanner();
      try {
        for (const chunk of chunks) {
          const { from, to } = scanner.push(chunk);
          expect(from).toBeGreaterThanOrEqual(0);
          expect(to).toBeGreaterThanOrEqual(from);
          expect(to).toBeLessThanOrEqual(chunk.length);
        }
        scanner.end();
      } catch (error) {
        expect(error).toBeInstanceOf(BrokenArray);
      }
    });
    fc.assert(property, { numRuns: 2_000 });
  });
});

test('a source that fails makes the whole fail', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('[1,');
    throw new Error('gone');
  }
  await expect(textOf(concatenated([chunked('[0]', [9]), failing()]))).rejects.toThrow('gone');
});
