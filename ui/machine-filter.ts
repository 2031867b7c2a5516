/** Which rows the filter box, the chips and the URL let through. Pure. */
import { lifecycle, stateOf, type MachineState } from '../src/contract/lifecycle.ts';
import type { MachineRow } from './machine-list.ts';
import type { MachineSearch } from './path.ts';

type Field = (row: MachineRow) => readonly (string | null)[];

/** What `name:word` looks at; a bare word looks at all of them. */
const fields: Readonly<Record<string, Field>> = {
  name: (row) => [row.hostname],
  id: (row) => [row.system_id],
  cell: (row) => [row.cell],
  owner: (row) => [row.owner],
  zone: (row) => [row.zone.name],
  pool: (row) => [row.pool.name],
  tag: (row) => row.tag_names,
  power: (row) => [row.power_state],
  arch: (row) => [row.architecture],
};

type Test = (row: MachineRow) => boolean;

function wordTest(word: string): Test {
  const [, name = '', rest = ''] = /^([a-z]+):(.+)$/.exec(word) ?? [];
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  const wanted = field ? rest : word;
  const looked = field ? [field] : Object.values(fields);
  return (row) => looked.some((one) => one(row).some((value) => value?.toLowerCase().includes(wanted) === true));
}

/** The states that the URL names; an unknown name is as if it were not there. */
export function chosenStates(search: MachineSearch): MachineState[] {
  return (search.status ?? '').split(',').filter((name): name is MachineState => Object.hasOwn(lifecycle, name));
}

/** Every word of `q` must fit (`name:word` in one field, else in any), and the state must be one of the chosen. */
export function machineTest(search: MachineSearch): Test {
  const words = (search.q ?? '').toLowerCase().split(/\s+/);
  const tests = words.filter((word) => word !== '').map(wordTest);
  const states = new Set(chosenStates(search));
  const { cell } = search;
  return (row) =>
    (states.size === 0 || states.has(stateOf(row.status))) && (cell === undefined || row.cell === cell) && tests.every((test) => test(row));
}

/** State → rows in it, for the chips; the chosen states themselves do not count. */
export function countStates(rows: readonly MachineRow[], search: MachineSearch): ReadonlyMap<MachineState, number> {
  const { status: _, ...rest } = search;
  const test = machineTest(rest);
  const counts = new Map<MachineState, number>();
  for (const row of rows) {
    const state = stateOf(row.status);
    if (test(row)) counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return counts;
}
