/** Lists of rows that are ordered by falling id: whole, or a page with its place. */
import type { CallReply } from '../../http/handler.ts';
import type { BodyReply } from '../../http/reply.ts';
import { jsonList } from './json-list.ts';
import { formatPlace, readPlace } from './page-place.ts';

/** Rows read by one statement. */
export const rowsAtOnce = 500;

export interface PageAsked {
  readonly limit?: number;
  readonly after?: string;
}

/**
 * @param read at most `limit` rows with an id below `below`, newest first
 * @throws Failure `invalid` for an `after` that is no place in such a list
 */
export async function rowList<Row extends { readonly id: number }>(
  asked: PageAsked,
  reply: CallReply,
  read: (below: number | undefined, limit: number) => Promise<Row[]>,
  body: (row: Row) => unknown,
): Promise<BodyReply> {
  const start = asked.after === undefined ? undefined : Number(readPlace(asked.after, (value) => /^\d{1,16}$/.test(value)).value);
  const { limit } = asked;
  if (limit === undefined) return jsonList(pages(start, read, body));
  const rows = await read(start, limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  if (last && shown.length < rows.length) reply.header('Muster-Next', formatPlace({ value: String(last.id), id: String(last.id) }));
  return jsonList(only(shown.map(body)));
}

async function* pages<Row extends { readonly id: number }>(
  start: number | undefined,
  read: (below: number | undefined, limit: number) => Promise<Row[]>,
  body: (row: Row) => unknown,
): AsyncGenerator<readonly unknown[]> {
  let below = start;
  for (;;) {
    const rows = await read(below, rowsAtOnce);
    if (rows.length > 0) yield rows.map(body);
    if (rows.length < rowsAtOnce) return;
    below = rows.at(-1)?.id;
  }
}

async function* only(items: readonly unknown[]): AsyncGenerator<readonly unknown[]> {
  yield items;
}
