/** The cells a front knows of: the hub's registry as its replica has it, or a fixed list. */
import { fail, type Failure } from '../contract/errors.ts';
import type { GlobalReader } from '../global/document.ts';
import { stateOfCell } from '../global/member-state.ts';

export interface CellEntry {
  readonly name: string;
  readonly number: number;
  /** Where it answers; several with commas between them where it has several processes. */
  readonly url: string;
  /** An operator says that it is not there. */
  readonly out: boolean;
  /** An operator says that it gets nothing new: no machines, no allocations. */
  readonly drained: boolean;
}

/** A cell that was retired: nobody asks it any more, and its ids are known to be gone. */
export type RetiredCell = Pick<CellEntry, 'name' | 'number' | 'url'>;

export interface CellRegistry {
  /** In the order of their numbers. */
  list(): readonly CellEntry[];
  retired(): readonly RetiredCell[];
  /** There may be cells that are not listed: the hub has not been heard for longer than a poll takes. */
  behind(): boolean;
}

/** Cells that were invited and have not joined have no address and hold nothing: they are left out. */
export function replicaRegistry(reader: GlobalReader, behind: () => boolean = () => false): CellRegistry {
  let known: readonly CellEntry[] | undefined;
  reader.onChange((stream) => {
    if (stream === 'config') known = undefined;
  });
  return {
    list: () =>
      (known ??= reader
        .list('cell')
        .filter((cell) => cell.url.split(',').every((url) => URL.canParse(url.trim())))
        .map((cell) => entryOf(cell.name, cell.number, cell.url, stateOfCell(cell)))
        .sort((a, b) => a.number - b.number)),
    retired: () => reader.retired('cell'),
    behind,
  };
}

function entryOf(name: string, number: number, url: string, state: 'in' | 'drained' | 'out'): CellEntry {
  return { name, number, url, out: state === 'out', drained: state === 'drained' };
}

export function fixedRegistry(cells: readonly Omit<CellEntry, 'out' | 'drained'>[]): CellRegistry {
  const known = cells.map(({ name, number, url }) => entryOf(name, number, url, 'in')).sort((a, b) => a.number - b.number);
  return { list: () => known, retired: () => [], behind: () => false };
}

/**
 * Why no cell of this name or number is listed: it was retired, or it may have joined since the hub was last heard, and then what it holds is
 * as unknown as with any absent cell. undefined when there never was one.
 */
export function whyGone(registry: CellRegistry, cell: { readonly name: string } | { readonly number: number }): Failure | undefined {
  const gone = registry.retired().find((one) => ('name' in cell ? one.name === cell.name : one.number === cell.number));
  if (gone) return fail('cell_retired', { cell: gone.name });
  return registry.behind() ? fail('cell_absent', { cell: 'name' in cell ? cell.name : String(cell.number) }) : undefined;
}

/** @throws Failure `cell_absent` when one of these numbers may be of a cell that this front has not heard of. */
export function refuseUnheard(registry: CellRegistry, numbers: Iterable<number>): void {
  for (const number of numbers) {
    const failure = cellNumbered(registry, number) ? undefined : whyGone(registry, { number });
    if (failure?.code === 'cell_absent') throw failure;
  }
}

export function cellNamed(registry: CellRegistry, name: string): CellEntry | undefined {
  return registry.list().find((cell) => cell.name === name);
}

export function cellNumbered(registry: CellRegistry, number: number): CellEntry | undefined {
  return registry.list().find((cell) => cell.number === number);
}
