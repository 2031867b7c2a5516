/** Pages of a list that many cells hold a part of: each cell is asked for its share, and for more only where that runs out. */
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemIdOf } from '../contract/ids.ts';
import type { CellReply } from './cell-line.ts';
import type { CellEntry } from './cell-registry.ts';
import { gatherList, pageShare } from './gather-list.ts';
import { comparison, placeOf, type ListOrder } from './list-order.ts';

interface Shown {
  readonly hostname: string;
  readonly system_id: string;
}

const byName: ListOrder = { field: 'hostname', tie: 'system_id', falling: false };
const byId: ListOrder = { field: 'system_id', tie: 'system_id', falling: false };

/** What a cell answers: its machines in order behind the place, and where the next page begins when there are more. */
function answer(cell: CellEntry, all: readonly Shown[], order: ListOrder, after: string | undefined, limit: number): CellReply {
  const compare = comparison(order);
  const [value = '', id = ''] = after?.split('~') ?? [];
  const behind = all
    .toSorted(compare)
    .filter((one) => after === undefined || compare(one, { hostname: decodeURIComponent(value), system_id: id }) > 0);
  const page = behind.slice(0, limit);
  const next = behind.length > limit ? { 'muster-next': placeOf(page.at(-1), order) } : undefined;
  const body = Readable.from([Buffer.from(JSON.stringify(page))], { objectMode: false });
  return { cell, status: 200, headers: { ...next }, body, until: performance.now() + 60_000 };
}

/** All pages through the front. Returns them, and how many machines the cells were asked for. */
async function walk(perCell: readonly (readonly Shown[])[], order: ListOrder | undefined, limit: number) {
  const by = order ?? byId;
  const cells = perCell.map((_, at): CellEntry => ({ name: `c${at}`, number: at + 1, url: '', out: false }) as CellEntry);
  const machinesOf = (cell: CellEntry) => perCell[cell.number - 1] ?? [];
  const pages: Shown[][] = [];
  let asked = 0;
  let after: string | undefined;
  do {
    const fields: Record<string, string[]> = { limit: [String(limit)], ...(after === undefined ? {} : { after: [after] }) };
    const share = pageShare(fields, order, cells);
    const ask = (cell: CellEntry, from: string | undefined, count: number): CellReply => {
      asked += count;
      return answer(cell, machinesOf(cell), by, from, count);
    };
    const replies = cells.map((cell) => ask(cell, after, share(cell)));
    const more = (cell: CellEntry, from: string, count: number) => Promise.resolve(ask(cell, from, count));
    let next: string | undefined;
    const reply = { header: (_: string, value: string) => void (next = value), sent: Promise.resolve(true) };
    const { body } = await gatherList(replies, { fields, reply }, { order, page: { limit, share, more } });
    const text = typeof body === 'string' ? body : Buffer.concat(await Array.fromAsync(body as Readable)).toString();
    pages.push(JSON.parse(text) as Shown[]);
    after = next;
  } while (after !== undefined);
  return { pages, asked };
}

const fleets = fc
  .array(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), { maxLength: 40 }), { minLength: 2, maxLength: 7 })
  .map((names) =>
    names.map((list, cell) => list.map((hostname, at): Shown => ({ hostname, system_id: systemIdOf(cell + 1, 100_000 + at) ?? '' }))),
  );

test.each([['by host name', byName] as const, ['by id', undefined] as const])(
  'whichever cells have them, pages %s are the whole list, each full but the last',
  async (_, order) => {
    await fc.assert(
      fc.asyncProperty(fleets, fc.integer({ min: 1, max: 30 }), async (perCell, limit) => {
        const { pages } = await walk(perCell, order, limit);
        expect(pages.flat()).toEqual(perCell.flat().toSorted(comparison(order ?? byId)));
        for (const page of pages.slice(0, -1)) expect(page).toHaveLength(limit);
      }),
      { numRuns: 150 },
    );
  },
);

test('a page of 100 takes a few machines of each of 50 cells, not 100', async () => {
  const name = (cell: number, at: number) => String((at * 7919 + cell * 104_729) % 100_003).padStart(6, '0');
  const perCell = Array.from({ length: 50 }, (_, cell) =>
    Array.from({ length: 200 }, (_, at): Shown => ({ hostname: name(cell, at), system_id: systemIdOf(cell + 1, 100_000 + at) ?? '' })),
  );
  const { pages, asked } = await walk(perCell, byName, 100);
  expect(pages).toHaveLength(100);
  expect(asked / pages.length).toBeLessThan(600);
});
