/** Lists of rows that are newest first by a time and then by id: whole, or a page with its place. */
import type { CallReply } from '../../http/handler.ts';
import type { BodyReply } from '../../http/reply.ts';
import type { RowPlace } from '../db/operation-read.ts';
import { jsonList } from './json-list.ts';
import { formatPlace, isInstant, readPlace } from './page-place.ts';

/** Rows read by one statement. */
export const rowsAtOnce = 500;

export interface PageAsked {
  readonly limit?: number;
  readonly after?: string;
}

export interface RowReading<Row> {
  /** At most `limit` rows behind this place. */
  readonly read: (behind: RowPlace | undefined, limit: number) => Promise<Row[]>;
  readonly placeOf: (row: Row) => RowPlace;
  readonly body: (row: Row) => unknown;
}

/** @throws Failure `invalid` for an `after` that is no place in such a list. */
export async function rowList<Row>(asked: PageAsked, reply: CallReply, reading: RowReading<Row>): Promise<BodyReply> {
  const start = asked.after === undefined ? undefined : startOf(asked.after);
  const { limit } = asked;
  if (limit === undefined) return jsonList(pages(start, reading));
  const rows = await reading.read(start, limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  if (last !== undefined && shown.length < rows.length) {
    const { at, id } = reading.placeOf(last);
    reply.header('Muster-Next', formatPlace({ value: at, id: String(id) }));
  }
  return jsonList(only(shown.map(reading.body)));
}

function startOf(after: string): RowPlace {
  const place = readPlace(after, isInstant);
  // An id that is no number is behind nothing: it never was in such a list.
  return { at: place.value, id: /^\d{1,16}$/.test(place.id) ? Math.min(Number(place.id), Number.MAX_SAFE_INTEGER) : 0 };
}

async function* pages<Row>(start: RowPlace | undefined, { read, placeOf, body }: RowReading<Row>): AsyncGenerator<readonly unknown[]> {
  let behind = start;
  for (;;) {
    const rows = await read(behind, rowsAtOnce);
    if (rows.length > 0) yield rows.map(body);
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsAtOnce) return;
    behind = placeOf(last);
  }
}

async function* only(items: readonly unknown[]): AsyncGenerator<readonly unknown[]> {
  yield items;
}
