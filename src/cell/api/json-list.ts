/** Long lists as JSON: written page by page, so that memory stays bounded; one that fits into a page is sent whole. */
import { Readable } from 'node:stream';
import { json, stream, type BodyReply } from '../../http/reply.ts';

/** Items written at once. */
const atOnce = 50;

/**
 * The items of all pages as one JSON array. What goes wrong in the first two pages is thrown here; what goes wrong later breaks the
 * connection off, so that a list never ends well-formed and short.
 */
export async function jsonList(pages: AsyncIterable<readonly unknown[]>): Promise<BodyReply> {
  const iterator = pages[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return json([]);
  const second = await iterator.next();
  if (second.done === true) return json(first.value);
  const body = Readable.from(written([first.value, second.value], iterator), { objectMode: false });
  // Also when nobody ever reads it, as for HEAD: the pages may hold a connection.
  body.once('close', () => void iterator.return?.().catch(() => undefined));
  return stream(body, 'application/json; charset=utf-8');
}

async function* written(ready: (readonly unknown[])[], rest: AsyncIterator<readonly unknown[]>): AsyncGenerator<string> {
  let opening = '[';
  const write = function* (page: readonly unknown[]): Generator<string> {
    for (let at = 0; at < page.length; at += atOnce) {
      const items = page.slice(at, at + atOnce).map((item) => JSON.stringify(item));
      yield opening + items.join(',');
      opening = ',';
    }
  };
  for (let page = ready.shift(); page !== undefined; page = ready.shift()) yield* write(page);
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield* write(next.value);
  yield opening === '[' ? '[]' : ']';
}
