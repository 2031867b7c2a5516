/** The constraints of an allocation (maas-api.md §1.5) as conditions, and what is said when nothing meets them. Pure. */
import { readArchitecture } from '../../contract/architecture.ts';
import { invalid } from '../../contract/errors.ts';
import type { constraints } from '../../contract/resources/constraints.ts';
import { ignoredFilters } from '../../contract/resources/machine-filters.ts';
import type { ParamsOf } from '../../contract/route.ts';
import { wordList } from '../../contract/word-list.ts';
import type { GlobalReader } from '../../global/document.ts';
import { missingText, namedIds } from '../../global/named-ids.ts';
import type { MachineCondition, MachineTest } from '../db/machine-filter.ts';
import type { Supply } from '../db/allocation-store.ts';

export type ConstraintParams = ParamsOf<{ readonly params: typeof constraints }>;

/** A constraint as it will be tried, with the words that say how it was understood. */
export interface Constraint {
  readonly condition: MachineCondition;
  readonly resolved: string;
}

/** As Python writes a float: clients' logs show it. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/**
 * Every constraint that was given, in a fixed order. `free`: keys that no constraint has.
 * @throws Failure `invalid` that names every bad one; an unknown constraint is an error, as ignoring it would give the wrong machine.
 */
export function readConstraints(
  global: Pick<GlobalReader, 'named' | 'retired'>,
  params: ConstraintParams,
  free: Readonly<Record<string, unknown>>,
): Constraint[] {
  const errors: Record<string, string[]> = {};
  const found: Constraint[] = [];
  for (const key of Object.keys(free)) if (!ignoredFilters.has(key)) errors[key] = ['No such constraint.'];

  const add = (name: string, not: boolean, test: MachineTest, words: string): void => {
    found.push({ condition: { name, not, test }, resolved: `${name}=${words}` });
  };
  const named = (name: 'zone' | 'pool' | 'not_in_zone' | 'not_in_pool', kind: 'zone' | 'pool'): void => {
    const values = params[name];
    if (values === undefined || values.length === 0) return;
    const { ids, missing } = namedIds(global, kind, values);
    const text = missingText(kind, missing);
    if (text !== undefined) errors[name] = [text];
    add(name, name.startsWith('not_'), { is: kind, of: ids }, values.join(','));
  };
  const architectures = (name: 'arch' | 'not_arch'): void => {
    const values = params[name];
    if (values === undefined || values.length === 0) return;
    const read = values.flatMap((value) => readArchitecture(value) ?? []);
    if (read.length < values.length) errors[name] = ['Architecture not recognised.'];
    add(name, name === 'not_arch', { is: 'architecture', of: read }, read.join(','));
  };
  const tags = (name: 'tags' | 'not_tags'): void => {
    const words = wordList(params[name] ?? []);
    if (words.length === 0) return;
    const { ids, missing } = namedIds(global, 'tag', words);
    const text = name === 'tags' ? missingText('tag', missing) : undefined;
    if (text !== undefined) errors[name] = [text];
    add(name, name === 'not_tags', { is: name === 'tags' ? 'all_tags' : 'any_tag', of: ids }, words.join(','));
  };
  const least = (name: 'cpu_count' | 'mem'): void => {
    const value = params[name];
    if (value !== undefined) add(name, false, { is: name === 'mem' ? 'memory' : 'cpu_count', least: value }, float(value));
  };

  if (params.name !== undefined) add('name', false, { is: 'hostname', of: [params.name] }, params.name);
  if (params.system_id !== undefined && params.system_id.length > 0) {
    add('system_id', false, { is: 'system_id', of: params.system_id }, params.system_id.join(','));
  }
  architectures('arch');
  architectures('not_arch');
  least('cpu_count');
  least('mem');
  tags('tags');
  tags('not_tags');
  named('zone', 'zone');
  named('not_in_zone', 'zone');
  named('pool', 'pool');
  named('not_in_pool', 'pool');
  if (Object.keys(errors).length > 0) throw invalid(errors);
  return found;
}

/** A text as Python's repr writes it. */
function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return `${quote}${text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`)}${quote}`;
}

/**
 * Why nothing was given out: MAAS's sentence, which clients match, and behind it what each constraint rules out.
 * `fields`: the request's own words by key.
 */
export function refusalText(found: readonly Constraint[], fields: Readonly<Record<string, readonly string[]>>, there: Supply): string {
  return `${sentence(found, fields)}\n${reason(there)}`;
}

function sentence(found: readonly Constraint[], fields: Readonly<Record<string, readonly string[]>>): string {
  const [first] = found;
  if (first === undefined) return 'No machine available.';
  const { name, test } = first.condition;
  if (found.length === 1 && name === 'system_id' && test.is === 'system_id')
    return `No machine with system ID ${test.of.join(', ')} available.`;
  const asked = found.map(({ condition }) => `(${repr(condition.name)}, [${(fields[condition.name] ?? []).map(repr).join(', ')}])`);
  return `No available machine matches constraints: [${asked.join(', ')}] (resolved to "${found.map((one) => one.resolved).join(' ')}")`;
}

function reason({ ready, ruledOut }: Supply): string {
  if (ready === 0) return 'No machine is Ready and free.';
  const ruled = Object.entries(ruledOut)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`);
  const machines = ready === 1 ? '1 machine is' : `${ready} machines are`;
  return ruled.length === 0
    ? `${machines} Ready and free, but taken at this moment.`
    : `${machines} Ready and free; ruled out by ${ruled.join(', by ')}.`;
}
