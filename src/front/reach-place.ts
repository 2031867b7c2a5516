/** `place`: something is created in one cell. Which one: an id among the parameters, `cell=`, its domain's cell, or the only cell. */
import { fail, invalid } from '../contract/errors.ts';
import { cellNamed, cellNumbered, type CellEntry } from './cell-registry.ts';
import { forward, type FrontContext, type Reach } from './front-context.ts';
import type { Fields } from './encode-call.ts';
import { cellOfFields } from './named-cells.ts';

/** The number of the cell that a domain name is reserved for. */
export type DomainDoor = (name: string) => number | undefined;

function placeOf({ registry }: Pick<FrontContext, 'registry'>, fields: Fields, cellOfDomain: DomainDoor): CellEntry {
  const named = fields['cell']?.at(-1);
  const names = registry.list().map((cell) => cell.name);
  if (named !== undefined && named !== '') {
    const cell = cellNamed(registry, named);
    if (cell) return cell;
    throw invalid({ cell: [`No such cell: '${named}'. There are: ${names.join(', ')}.`] });
  }
  const number = cellOfFields(fields) ?? cellOfDomain(fields['domain']?.at(-1) ?? '');
  if (number !== undefined) {
    const cell = cellNumbered(registry, number);
    if (cell) return cell;
    throw fail('bad_request', { reason: 'An id in this request belongs to a cell that there is not.' });
  }
  const [only, ...more] = registry.list();
  if (only && more.length === 0) return only;
  throw fail('unplaced', { cells: names.join(', ') });
}

/** `cell` is the front's own parameter and does not go on. */
export function reachPlace(cellOfDomain: DomainDoor): Reach {
  return async (context, { route }, call) => {
    const cell = placeOf(context, call.fields, cellOfDomain);
    const { cell: _, ...fields } = call.fields;
    return forward(context, route, call, cell, { ...call, fields });
  };
}
