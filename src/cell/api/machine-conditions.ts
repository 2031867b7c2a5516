/** The filters of a list of machines as conditions. Pure; a filter that nobody knows is refused, never ignored. */
import { invalid, type FieldErrors } from '../../contract/errors.ts';
import { lifecycle, machineStates } from '../../contract/lifecycle.ts';
import { ignoredFilters, machineFilters } from '../../contract/resources/machine-filters.ts';
import type { ParamsOf } from '../../contract/route.ts';
import { wordList } from '../../contract/word-list.ts';
import type { GlobalReader } from '../../global/document.ts';
import { missingText, namedIds } from '../../global/named-ids.ts';
import type { MachineCondition, MachineTest } from '../db/machine-filter.ts';

export type FilterParams = ParamsOf<{ readonly params: typeof machineFilters }>;
type FilterName = keyof typeof machineFilters;

/** Names of states as MAAS has them, where they are not ours. */
const otherNames: Readonly<Record<string, keyof typeof lifecycle>> = { failed_releasing: 'releasing_failed' };

function statusNumber(text: string): number | undefined {
  const word = text.trim().toLowerCase();
  const named = machineStates.find((state) => state === word) ?? otherNames[word];
  if (named !== undefined) return lifecycle[named].number;
  return /^\d{1,2}$/.test(word)
    ? machineStates.map((state) => lifecycle[state].number as number).find((number) => number === Number(word))
    : undefined;
}

interface Reading {
  readonly global: Pick<GlobalReader, 'named' | 'retired'>;
  readonly errors: Record<string, string[]>;
}

function testOf({ global, errors }: Reading, name: FilterName, plain: string, values: readonly string[]): MachineTest | undefined {
  const complain = (text: string | undefined): void => {
    if (text !== undefined) errors[name] = [text];
  };
  switch (plain) {
    case 'id':
    case 'system_id':
      return { is: 'system_id', of: values };
    case 'hostname':
    case 'domain':
    case 'agent_name':
    case 'owner':
      return { is: plain, of: values };
    case 'arch':
      return { is: 'architecture', of: values };
    case 'mac_address':
      return { is: 'mac', of: values.map((mac) => mac.replaceAll('-', ':')) };
    case 'status': {
      const wrong = values.find((value) => statusNumber(value) === undefined);
      if (wrong !== undefined)
        complain(
          `'${wrong.slice(0, 40)}' is not a valid choice. It should be one of: ${machineStates.map((state) => `'${state}'`).join(', ')}.`,
        );
      return { is: 'status', of: values.flatMap((value) => statusNumber(value) ?? []) };
    }
    case 'zone':
    case 'in_zone':
    case 'pool':
    case 'in_pool': {
      const kind = plain.endsWith('zone') ? 'zone' : 'pool';
      const { ids, missing } = namedIds(global, kind, values);
      complain(missingText(kind, missing));
      return { is: kind, of: ids };
    }
    case 'tags': {
      const isNot = name.startsWith('not_');
      const { ids, missing } = namedIds(global, 'tag', wordList(values));
      // What nobody has cannot be had: fine to exclude, an error to ask for.
      if (!isNot) complain(missingText('tag', missing));
      return { is: isNot ? 'any_tag' : 'all_tags', of: ids };
    }
    default:
      return undefined;
  }
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
  for (const key of Object.keys(free)) if (!ignoredFilters.has(key)) errors[key] = ['No such constraint.'];
  const conditions: MachineCondition[] = [];
  for (const name of Object.keys(machineFilters) as FilterName[]) {
    const value = params[name];
    if (value === undefined) continue;
    if (name === 'cpu_count' || name === 'mem') {
      conditions.push({ name, not: false, test: { is: name === 'mem' ? 'memory' : 'cpu_count', least: params[name] ?? 0 } });
    } else if (name === 'power_state' || name === 'not_power_state') {
      conditions.push({ name, not: name.startsWith('not_'), test: { is: 'power_state', of: params[name] ?? [] } });
    } else if (typeof value !== 'number') {
      const test = testOf({ global, errors }, name, name.replace(/^not_/, ''), value);
      if (test) conditions.push({ name, not: name.startsWith('not_'), test });
    }
  }
  if (Object.keys(errors).length > 0) throw invalid(errors satisfies FieldErrors);
  return conditions;
}
