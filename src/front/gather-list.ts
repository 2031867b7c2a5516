/** A list that many cells hold a part of: passed on as bytes, merged by a sort key, or cut to a page. */
import { Readable } from 'node:stream';
import { json, stream, type BodyReply } from '../http/reply.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { concatenated, mergedItems, written, type Bytes, type Item } from './array-merge.ts';
import { drop } from './answers.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { passed } from './cell-reply.ts';
import type { Fields } from './encode-call.ts';
import { comparison, placeOf, type ListOrder } from './list-order.ts';

const contentType = 'application/json; charset=utf-8';
const byAge: ListOrder = { field: 'system_id', tie: 'system_id', falling: false };

/** The keys as cells must get them: with `fields=`, what the merge compares must be there. */
export function fieldsToAsk(fields: Fields, order: ListOrder | undefined): Fields {
  const chosen = fields['fields']?.at(-1);
  if (order === undefined || chosen === undefined || chosen.split(',').includes(order.field)) return fields;
  return { ...fields, fields: [`${chosen},${order.field}`] };
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

/** The good replies as one list. What breaks after the first byte breaks the caller's connection off. @throws Absent before that. */
export async function gatherList(
  replies: readonly CellReply[],
  call: Pick<LooseCall, 'fields' | 'reply'>,
  order: ListOrder | undefined,
  paged: boolean,
): Promise<BodyReply> {
  const [only] = replies;
  if (only && replies.length === 1) return passed(only);
  const sources = replies.map(bytesOf);
  const limit = paged ? call.fields['limit']?.at(-1) : undefined;
  if (limit === undefined) {
    if (order === undefined) return streamed(concatenated(sources), replies);
    return streamed(written(mergedItems(sources, comparison(order))), replies);
  }
  const page: Item[] = [];
  let more = replies.some((reply) => reply.headers['muster-next'] !== undefined);
  try {
    for await (const item of mergedItems(sources, comparison(order ?? byAge))) {
      if (page.length === Number(limit)) {
        more = true;
        break;
      }
      page.push(item);
    }
  } finally {
    drop(replies);
  }
  const last = page.at(-1);
  if (more && last) call.reply.header('Muster-Next', placeOf(last.value, order ?? byAge));
  if (last === undefined) return json([]);
  const parts = page.flatMap(({ bytes }, at) => [Buffer.from(at === 0 ? '[' : ','), bytes]);
  const whole = Buffer.concat([...parts, Buffer.from(']')]);
  return stream(Readable.from([whole], { objectMode: false }), contentType, whole.length);
}
