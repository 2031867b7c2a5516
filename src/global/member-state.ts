/** How an operator has said that a cell or front stands, read off its document. Pure. */
import type { GlobalReader } from './document.ts';
import type { BodyOf } from './kinds.ts';

export type CellState = 'in' | 'drained' | 'out' | 'retired';

/** Of a cell that is not retired. */
export function stateOfCell({ out, drained }: Pick<BodyOf<'cell'>, 'out' | 'drained'>): Exclude<CellState, 'retired'> {
  if (out) return 'out';
  return drained === true ? 'drained' : 'in';
}

/** The fields of the document that say it. */
export function fieldsOfState(state: Exclude<CellState, 'retired'>): Pick<BodyOf<'cell'>, 'out'> & { readonly drained: boolean } {
  return { out: state === 'out', drained: state === 'drained' };
}

/** How this cell stands, as its own replica says; a cell that the registry does not know (it stands alone) is in. */
export function ownState(reader: Pick<GlobalReader, 'get' | 'isRetired'>, number: number): CellState {
  if (reader.isRetired('cell', number)) return 'retired';
  const cell = reader.get('cell', number);
  return cell ? stateOfCell(cell) : 'in';
}

/** The cell or front of this name that was retired. */
export function retiredNamed<R extends 'cell' | 'front'>(
  reader: Pick<GlobalReader, 'retired'>,
  role: R,
  name: string,
): BodyOf<R> | undefined {
  return reader.retired(role).find((body) => body.name === name);
}
