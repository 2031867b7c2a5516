/** The cells a front knows of: the hub's registry as its replica has it, or a fixed list. */
import type { GlobalReader } from '../global/document.ts';

export interface CellEntry {
  readonly name: string;
  readonly number: number;
  readonly url: string;
  /** An operator says that it is not there. */
  readonly out: boolean;
}

export interface CellRegistry {
  /** In the order of their numbers. */
  list(): readonly CellEntry[];
}

/** Cells that were invited and have not joined have no address and hold nothing: they are left out. */
export function replicaRegistry(reader: GlobalReader): CellRegistry {
  let known: readonly CellEntry[] | undefined;
  reader.onChange((stream) => {
    if (stream === 'config') known = undefined;
  });
  return {
    list: () =>
      (known ??= reader
        .list('cell')
        .filter((cell) => URL.canParse(cell.url))
        .map(({ name, number, url, out }) => ({ name, number, url, out }))
        .sort((a, b) => a.number - b.number)),
  };
}

export function fixedRegistry(cells: readonly Omit<CellEntry, 'out'>[]): CellRegistry {
  const known = cells.map((cell) => ({ ...cell, out: false })).sort((a, b) => a.number - b.number);
  return { list: () => known };
}

export function cellNamed(registry: CellRegistry, name: string): CellEntry | undefined {
  return registry.list().find((cell) => cell.name === name);
}

export function cellNumbered(registry: CellRegistry, number: number): CellEntry | undefined {
  return registry.list().find((cell) => cell.number === number);
}
