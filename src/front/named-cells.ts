/** Which cells a call is about, told by the ids in it. Pure. What names a thing is read off the routes table: `system_id`, `id`, and every handler's own name. */
import { cellOf, globalCell } from '../contract/ids.ts';
import { pathNames, type Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { Fields } from './encode-call.ts';

/** Parameters that hold ids: `subnet`, `vlan`, `machine`, `machines`, … and what bulk calls call them. */
const idParams: ReadonlySet<string> = new Set([
  'id',
  'system_id',
  'parent',
  'nodes',
  'source',
  'destination',
  'destinations',
  'add',
  'remove',
  ...Object.values(routes).map((route) => route.handler.toLowerCase()),
]);

/** The number of the cell of an id; undefined for global ids, names, and whatever else is no cell's id. */
export function cellOfText(text: string): number | undefined {
  // `id:` is a specifier's, `subnet-` begins the names of old networks.
  const cell = cellOf(text.replace(/^(?:id:|subnet-)/, ''));
  return cell === undefined || cell === globalCell ? undefined : cell;
}

/** The cell that a path names; undefined when none of its blanks is a cell's id. */
export function cellOfPath(route: Pick<Route, 'path'>, path: Readonly<Record<string, string>>): number | undefined {
  for (const name of pathNames(route.path)) {
    const cell = cellOfText(path[name] ?? '');
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** The cell of an id among the parameters; integer ids only where a word could be meant as well. */
export function cellOfFields(fields: Fields): number | undefined {
  for (const [name, values] of Object.entries(fields)) {
    if (!idParams.has(name)) continue;
    const cell = cellOfText(values.at(-1) ?? '');
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** The parameters of a bulk call that list ids, by their array schemas. */
export function idLists(route: Pick<Route, 'params'>): string[] {
  return Object.entries(route.params)
    .filter(([name, param]) => idParams.has(name) && 'items' in param.schema)
    .map(([name]) => name);
}

/**
 * The only cells in which everything that is named can live, when the naming parameters are ids: alternatives of one parameter are joined,
 * parameters cut each other. undefined: it could be anywhere.
 */
export function cellsNamed(names: readonly string[], fields: Fields): ReadonlySet<number> | undefined {
  let named: ReadonlySet<number> | undefined;
  for (const name of names) {
    const values = fields[name];
    if (values === undefined || !idParams.has(name)) continue;
    const cells = values.flatMap((value) => value.split(',')).map(cellOfText);
    if (cells.some((cell) => cell === undefined)) continue;
    const here = cells as number[];
    const before = named;
    named = new Set(before === undefined ? here : here.filter((cell) => before.has(cell)));
  }
  return named;
}
