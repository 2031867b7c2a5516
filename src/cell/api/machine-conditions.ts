/** The filters of a list of machines as conditions. Pure; a filter that nobody knows is refused, never ignored. */
import { invalid } from '../../contract/errors.ts';
import { lifecycle, machineStates, type MachineState } from '../../contract/lifecycle.ts';
import { ignoredFilters, machineFilters } from '../../contract/resources/machine-filters.ts';
import type { ParamsOf } from '../../contract/route.ts';
import type { GlobalReader } from '../../global/document.ts';
import { readCondition, type Reading } from '../db/condition-reader.ts';
import type { MachineCondition } from '../db/machine-filter.ts';

export type FilterParams = ParamsOf<{ readonly params: typeof machineFilters }>;
type FilterName = keyof typeof machineFilters;

/** Names of states as MAAS has them, where they are not ours. */
const otherNames: Readonly<Record<string, MachineState>> = { failed_releasing: 'releasing_failed' };

function statesOf(text: string): MachineState[] {
  const word = text.trim().toLowerCase();
  const state = machineStates.find((one) => one === word) ?? otherNames[word];
  if (state !== undefined) return [state];
  return /^\d{1,2}$/.test(word) ? machineStates.filter((one) => lifecycle[one].number === Number(word)) : [];
}

/** MAAS's summary of the states, by its names in lower case; what is left over is `other`. */
const simpleStates: Readonly<Record<string, readonly MachineState[]>> = {
  allocated: ['allocated'],
  broken: ['broken'],
  commissioning: ['commissioning'],
  deployed: ['deployed'],
  deploying: ['deploying'],
  failed: machineStates.filter((state) => state.includes('failed')),
  new: ['new'],
  ready: ['ready'],
  releasing: ['releasing', 'disk_erasing'],
  rescue_mode: ['rescue_mode', 'entering_rescue_mode', 'exiting_rescue_mode'],
  testing: ['testing'],
};
const summedUp = new Set(Object.values(simpleStates).flat());
const simple = new Map(Object.entries({ ...simpleStates, other: machineStates.filter((state) => !summedUp.has(state)) }));

const stateFilters: Readonly<
  Record<string, { readonly choices: readonly string[]; readonly statesOf: (text: string) => readonly MachineState[] }>
> = {
  status: { choices: machineStates, statesOf },
  simple_status: {
    choices: [...simple.keys()],
    statesOf: (text) => simple.get(text.trim().toLowerCase().replaceAll(' ', '_')) ?? [],
  },
};

function readStates({ errors }: Reading, name: string, values: readonly string[]): MachineCondition | undefined {
  const filter = stateFilters[name.replace(/^not_/, '')];
  if (filter === undefined || values.length === 0) return undefined;
  const wrong = values.find((value) => filter.statesOf(value).length === 0);
  if (wrong !== undefined) {
    const choices = filter.choices.map((choice) => `'${choice}'`).join(', ');
    errors[name] = [`'${wrong.slice(0, 40)}' is not a valid choice. It should be one of: ${choices}.`];
  }
  const of = values.flatMap((value) => filter.statesOf(value).map((state) => lifecycle[state].number));
  return { name, not: name.startsWith('not_'), test: { is: 'status', of } };
}

/**
 * The conditions that these parameters mean. `free`: keys that the route does not name.
 * @throws Failure `invalid` that names every bad parameter.
 */
export function machineConditions(
  global: Pick<GlobalReader, 'named' | 'retired'>,
  params: FilterParams,
  free: Readonly<Record<string, unknown>> = {},
): MachineCondition[] {
  const errors: Record<string, string[]> = {};
  const reading = { global, errors };
  for (const key of Object.keys(free)) if (!ignoredFilters.has(key)) errors[key] = ['No such constraint.'];
  const conditions: MachineCondition[] = [];
  for (const name of Object.keys(machineFilters) as FilterName[]) {
    const values = params[name]?.map(String);
    if (values === undefined) continue;
    const plain = name === 'id' || name === 'not_id' ? name.replace('id', 'system_id') : name;
    const condition = plain.endsWith('status') ? readStates(reading, name, values) : readCondition(reading, plain, values)?.condition;
    const said = errors[plain];
    if (condition) conditions.push({ ...condition, name });
    if (plain !== name && said) errors[name] = said;
  }
  if (Object.keys(errors).length > 0) throw invalid(errors);
  return conditions;
}
