/**
 * Machines as the API shows them, however many: one statement whose rows come a few at a time (postgres/row-cursor.ts). Where nobody reads
 * for so long that its cursor has closed, one more statement goes on behind the last machine that was read. Where all cursors are in use, each
 * page is a statement of its own.
 */
import { sql } from 'kysely';
import type { Database } from '../../postgres/database.ts';
import type { RowCursor } from '../../postgres/row-cursor.ts';
import { allOf, type MachineCondition } from './machine-filter.ts';
import { behindSql, machineColumns, orders, type MachineOrder, type MachineParts, type MachineRow, type Page } from './machine-read.ts';
import type { CellTables } from './schema.ts';

/** Machines that meet conditions, in an order; or these, in the order of the ids, those that are gone left out. */
export type Selection =
  | { readonly conditions: readonly MachineCondition[]; readonly order: MachineOrder; readonly after: Page['after'] }
  | { readonly ids: readonly string[] };

type Streamed = MachineRow & { readonly place: string };

/** Machines read at once: their rows are about 5 kB each. */
export const machinesAtOnce = 100;
/**
 * The first two pages: nothing is sent before the second is read (json-list.ts), and a front waits two seconds for the first byte. Twenty
 * cells on two busy cores sent it after 2.3 s with pages of 500.
 */
const machinesAtFirst = 50;

/** The subquery is what is sorted; columns that cost more than the row are only looked up when a machine is read. */
function statement(selection: Selection, parts: MachineParts) {
  const columns = machineColumns(parts);
  if ('ids' in selection) {
    return sql<Streamed>`
      select ${columns}, m.place from (
        select m.*, wanted.place::text from unnest(${selection.ids as string[]}::text[]) with ordinality as wanted (system_id, place)
        join machine m using (system_id) order by wanted.place offset 0) m`;
  }
  const { key, text } = orders[selection.order.by];
  const way = sql.raw(selection.order.falling ? 'desc' : 'asc');
  return sql<Streamed>`
    select ${columns}, m.place from (
      select m.*, ${sql.raw(text)} as place from machine m where ${allOf(selection.conditions)} and ${behindSql(selection.order, selection.after)}
      order by ${sql.raw(key)} ${way}, m.system_id ${way} offset 0) m`;
}

/** What is left behind the last machine that was read. */
function rest(selection: Selection, last: Streamed): Selection {
  if ('ids' in selection) return { ids: selection.ids.slice(Number(last.place)) };
  return { ...selection, after: { value: last.place, id: last.system_id } };
}

/** Pages of rows. The connection is given back when the last is read, when nobody reads on for too long, and by `return`. */
export async function* streamMachines(
  database: Pick<Database<CellTables>, 'db' | 'openCursor'>,
  selection: Selection,
  parts: MachineParts,
): AsyncGenerator<readonly MachineRow[]> {
  let left = selection;
  let cursor: RowCursor<Streamed> | undefined;
  try {
    for (let page = 0; ; page += 1) {
      if (cursor?.isOpen !== true) cursor = await database.openCursor(statement(left, parts));
      const wanted = page < 2 ? machinesAtFirst : machinesAtOnce;
      const rows: Streamed[] = cursor
        ? await cursor.next(wanted)
        : (await sql<Streamed>`${statement(left, parts)} limit ${wanted}`.execute(database.db)).rows;
      const last = rows.at(-1);
      if (last === undefined) return;
      yield rows;
      if (rows.length < wanted) return;
      if (cursor?.isOpen !== true) left = rest(left, last);
    }
  } finally {
    await cursor?.close();
  }
}
