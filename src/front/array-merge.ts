/** Lists of many cells as one list: one behind the other as bytes, or merged by a sort key element by element. */
import { ArrayScanner, BrokenArray } from './array-scanner.ts';

export type Bytes = AsyncIterable<Uint8Array>;

const open = Buffer.from('[');
const comma = Buffer.from(',');
const close = Buffer.from(']');
/** The longest single element of a list that is merged by a key. */
const longestElement = 16 << 20;

/** The arrays one behind the other, without parsing. @throws whatever a source throws, and BrokenArray. */
export async function* concatenated(sources: Iterable<Bytes> | AsyncIterable<Bytes>): AsyncGenerator<Uint8Array> {
  yield open;
  let any = false;
  for await (const source of sources) {
    const scanner = new ArrayScanner();
    let begun = false;
    for await (const chunk of source) {
      const { from, to } = scanner.push(chunk);
      if (from === to) continue;
      if (any && !begun) yield comma;
      begun = true;
      any = true;
      yield chunk.subarray(from, to);
    }
    scanner.end();
  }
  yield close;
}

/** The elements of an array, each as its bytes. */
export async function* elementsOf(source: Bytes): AsyncGenerator<Buffer> {
  const scanner = new ArrayScanner();
  let parts: Uint8Array[] = [];
  let size = 0;
  const keep = (part: Uint8Array): void => {
    size += part.length;
    if (size > longestElement) throw new BrokenArray('an element is too long');
    if (part.length > 0) parts.push(part);
  };
  const take = (): Buffer => {
    const element = Buffer.concat(parts);
    parts = [];
    size = 0;
    return element;
  };
  for await (const chunk of source) {
    const { from, to, commas } = scanner.push(chunk);
    let start = from;
    for (const at of commas) {
      keep(chunk.subarray(start, at));
      yield take();
      start = at + 1;
    }
    keep(chunk.subarray(start, to));
  }
  scanner.end();
  if (scanner.filled) yield take();
}

/** An element and what it is sorted by. */
export interface Item {
  readonly bytes: Buffer;
  readonly value: unknown;
}

/** Merge lists that are each in the order of `compare` already. Holds one element of each. */
export async function* mergedItems(sources: readonly Bytes[], compare: (a: unknown, b: unknown) => number): AsyncGenerator<Item> {
  const heads: { item: Item; rest: AsyncGenerator<Buffer> }[] = [];
  const next = async (rest: AsyncGenerator<Buffer>): Promise<Item | undefined> => {
    const taken = await rest.next();
    return taken.done === true ? undefined : { bytes: taken.value, value: JSON.parse(taken.value.toString('utf8')) as unknown };
  };
  try {
    for (const source of sources) {
      const rest = elementsOf(source);
      const item = await next(rest);
      if (item) heads.push({ item, rest });
    }
    while (heads.length > 0) {
      let best = 0;
      for (let at = 1; at < heads.length; at += 1) if (compare(heads[at]!.item.value, heads[best]!.item.value) < 0) best = at;
      const head = heads[best]!;
      yield head.item;
      const following = await next(head.rest);
      if (following) head.item = following;
      else heads.splice(best, 1);
    }
  } finally {
    await Promise.all(heads.map(({ rest }) => rest.return(undefined)));
  }
}

/** Items written as one array. */
export async function* written(items: AsyncIterable<Item>): AsyncGenerator<Uint8Array> {
  let lead = open;
  for await (const { bytes } of items) {
    yield Buffer.concat([lead, bytes]);
    lead = comma;
  }
  yield lead === open ? Buffer.from('[]') : close;
}
