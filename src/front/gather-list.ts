/** A list that many cells hold a part of: passed on as bytes, merged by a sort key, or cut to a page. */
import { Readable } from 'node:stream';
import { json, stream, type BodyReply } from '../http/reply.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { concatenated, mergedItems, written, type Bytes, type Item } from './array-merge.ts';
import { drop } from './answers.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import type { CellEntry } from './cell-registry.ts';
import type { Fields } from './encode-call.ts';
import { comparison, placeOf, type ListOrder } from './list-order.ts';
import { cellOfText } from './named-cells.ts';

const contentType = 'application/json; charset=utf-8';
const byAge: ListOrder = { field: 'system_id', tie: 'system_id', falling: false };

/** The keys as cells must get them: with `fields=`, what the merge compares must be there. */
export function fieldsToAsk(fields: Fields, order: ListOrder | undefined): Fields {
  const added = addedField(fields, order);
  return added === undefined ? fields : { ...fields, fields: [`${fields['fields']?.at(-1)},${added}`] };
}

/** The field that the caller did not choose and the merge compares; undefined when there is none. */
function addedField(fields: Fields, order: ListOrder | undefined): string | undefined {
  const chosen = fields['fields']?.at(-1);
  // What names an element is always there.
  if (order === undefined || chosen === undefined || order.field === order.tie) return undefined;
  return chosen.split(',').includes(order.field) ? undefined : order.field;
}

/** Elements without a field that nobody has asked for; what they are compared by is kept. */
async function* without(field: string | undefined, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  for await (const item of items) {
    if (field === undefined) yield item;
    else yield { ...item, bytes: Buffer.from(JSON.stringify({ ...(item.value as object), [field]: undefined })) };
  }
}

/** A reply's bytes; a break is the cell's absence. */
async function* bytesOf(reply: CellReply): Bytes {
  try {
    for await (const chunk of reply.body as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw new Absent(reply.cell, true, 'broke off', error);
  }
}

/** Nobody may wait for bodies that are not being read any more. */
function streamed(bytes: AsyncGenerator<Uint8Array>, replies: readonly CellReply[]): BodyReply {
  const body = Readable.from(bytes, { objectMode: false });
  body.once('close', () => drop(replies));
  return stream(body, contentType);
}

/** Elements that a cell is asked for at least: half a dozen cost it little more than one. */
const leastShare = 8;

/**
 * How much of a page each cell is asked for at first. Elements in another order than by cell come from all cells alike, so each gives twice
 * its share, and those whose share runs out are asked for more: a page of 100 from 50 cells took 5,000 machines to be read, and takes 400. By
 * cell, the first one that has any may well have all.
 */
export function pageShare(fields: Fields, order: ListOrder | undefined, cells: readonly CellEntry[]): (cell: CellEntry) => number {
  const limit = Number(fields['limit']?.at(-1));
  const share = Math.min(limit, Math.max(leastShare, Math.ceil((2 * limit) / Math.max(1, cells.length))));
  if (order !== undefined) return () => share;
  const from = cellOfText(fields['after']?.at(-1)?.split('~').at(-1) ?? '') ?? 0;
  const first = Math.min(...cells.map(({ number }) => number).filter((number) => number >= from));
  return ({ number }) => (number === first ? limit : share);
}

export interface Gathering {
  readonly order: ListOrder | undefined;
  /** Undefined: the whole list. */
  readonly page:
    | {
        readonly limit: number;
        /** What this cell was asked for. */
        readonly share: (cell: CellEntry) => number;
        /** The next `limit` elements of a cell, behind this place. @throws Absent */
        readonly more: (cell: CellEntry, after: string, limit: number) => Promise<CellReply>;
      }
    | undefined;
}

/** The good replies as one list. What breaks after the first byte breaks the caller's connection off. @throws Absent before that. */
export async function gatherList(
  replies: readonly CellReply[],
  call: Pick<LooseCall, 'fields' | 'reply'>,
  { order, page }: Gathering,
): Promise<BodyReply> {
  const [only] = replies;
  const isWhole = only && replies.length === 1 && (page === undefined || page.share(only.cell) === page.limit);
  if (isWhole && addedField(call.fields, order) === undefined) return passed(only);
  const merged = (sources: readonly Bytes[], by: ListOrder) =>
    without(addedField(call.fields, order), mergedItems(sources, comparison(by)));
  if (page === undefined) {
    const sources = replies.map(bytesOf);
    if (order === undefined) return streamed(concatenated(sources), replies);
    return streamed(written(merged(sources, order)), replies);
  }
  const taken: Item[] = [];
  let more = false;
  async function* arraysOf(reply: CellReply, limit: number): AsyncGenerator<Bytes> {
    yield bytesOf(reply);
    const after = reply.headers['muster-next'];
    if (typeof after !== 'string') return;
    if (taken.length === page!.limit) more = true;
    else {
      const next = Math.min(page!.limit, 2 * limit);
      yield* arraysOf(await page!.more(reply.cell, after, next), next);
    }
  }
  const sources = replies.map((reply) => concatenated(arraysOf(reply, page.share(reply.cell))));
  try {
    for await (const item of merged(sources, order ?? byAge)) {
      if (taken.length === page.limit) {
        more = true;
        break;
      }
      taken.push(item);
    }
  } finally {
    drop(replies);
  }
  const last = taken.at(-1);
  if (more && last) call.reply.header('Muster-Next', placeOf(last.value, order ?? byAge));
  if (last === undefined) return json([]);
  const parts = taken.flatMap(({ bytes }, at) => [Buffer.from(at === 0 ? '[' : ','), bytes]);
  const whole = Buffer.concat([...parts, Buffer.from(']')]);
  return stream(Readable.from([whole], { objectMode: false }), contentType, whole.length);
}
