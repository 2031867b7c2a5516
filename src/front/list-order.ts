/** The orders of lists that a front must merge by. Everything else is in the order of ids, which begin with the cell: one list behind the other. */
import type { Fields } from './encode-call.ts';

export interface ListOrder {
  /** The field of an element that is compared. */
  readonly field: string;
  /** The field that settles ties. */
  readonly tie: string;
  readonly falling: boolean;
}

const newest: Readonly<Record<string, ListOrder>> = {
  'Operations.read': { field: 'started', tie: 'id', falling: true },
  'Findings.read': { field: 'last_seen', tie: 'id', falling: true },
};

/** The order of a gathered list; undefined where it is by cell and then by age. */
export function listOrder(id: string, fields: Fields): ListOrder | undefined {
  const sort = fields['sort']?.at(-1) ?? '';
  if (id !== 'Machines.read') return newest[id];
  if (sort === '' || sort === 'system_id') return undefined;
  return { field: sort.replace(/^-/, ''), tie: 'system_id', falling: sort.startsWith('-') };
}

function part(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
}

function compareValues(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

/** The order as a comparison of parsed elements. */
export function comparison({ field, tie, falling }: ListOrder): (a: unknown, b: unknown) => number {
  const sign = falling ? -1 : 1;
  return (a, b) => sign * (compareValues(part(a, field), part(b, field)) || compareValues(part(a, tie), part(b, tie)));
}

/** Where a page ends, as cells write it in `Muster-Next`: the sort key's value and the id of the last item. */
export function placeOf(value: unknown, { field, tie }: Pick<ListOrder, 'field' | 'tie'>): string {
  return `${encodeURIComponent(String(part(value, field)))}~${String(part(value, tie))}`;
}
