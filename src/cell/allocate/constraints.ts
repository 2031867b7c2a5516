/** The constraints of an allocation (maas-api.md §1.5) as conditions, and what is said when nothing meets them. Pure. */
import { fail, invalid } from '../../contract/errors.ts';
import { constraints, type allocationWays } from '../../contract/resources/constraints.ts';
import { ignoredFilters } from '../../contract/resources/machine-filters.ts';
import type { ParamsOf } from '../../contract/route.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Supply } from '../db/allocation-store.ts';
import { readCondition, type Constraint } from '../db/condition-reader.ts';

export type ConstraintParams = ParamsOf<{ readonly params: typeof constraints }>;
export type Ways = ParamsOf<{ readonly params: typeof allocationWays }>;

/** What nobody does here, by why. @throws Failure `bad_request` */
export function refuseWays(params: Ways): void {
  for (const name of ['install_kvm', 'register_vmhost', 'install_rackd'] as const) {
    if (params[name] === true)
      throw fail('bad_request', { reason: `${name} is not part of Muster: machines are deployed, not carved up.` });
  }
}

/**
 * Every constraint that was given, in the order of the contract. `free`: keys that no constraint has.
 * @throws Failure `invalid` that names every bad one; an unknown constraint is an error, as ignoring it would give the wrong machine.
 */
export function readConstraints(
  global: Pick<GlobalReader, 'named' | 'retired'>,
  params: ConstraintParams,
  free: Readonly<Record<string, unknown>>,
): Constraint[] {
  const errors: Record<string, string[]> = {};
  for (const key of Object.keys(free)) if (!ignoredFilters.has(key)) errors[key] = ['No such constraint.'];
  const found: Constraint[] = [];
  for (const name of Object.keys(constraints) as (keyof typeof constraints)[]) {
    const value = params[name];
    if (value === undefined) continue;
    if (name === 'name') {
      found.push({ condition: { name, not: false, test: { is: 'hostname', of: [String(value)] } }, resolved: `name=${String(value)}` });
      continue;
    }
    const constraint = readCondition({ global, errors }, name, [value].flat().map(String));
    if (constraint) found.push(constraint);
  }
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

function reason({ ready, ruledOut }: Pick<Supply, 'ready' | 'ruledOut'>): string {
  if (ready === 0) return 'No machine is Ready and free.';
  const ruled = Object.entries(ruledOut)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`);
  const machines = ready === 1 ? '1 machine is' : `${ready} machines are`;
  return ruled.length === 0
    ? `${machines} Ready and free, but taken at this moment.`
    : `${machines} Ready and free; ruled out by ${ruled.join(', by ')}.`;
}
