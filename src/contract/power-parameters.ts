import { powerType } from './power-types.ts';
import type { PowerField, PowerParameters } from './power-types.ts';

/** Either whole settings with every default filled in, or the errors by field name, in the shape of MAAS's 400 bodies. */
export type CheckedParameters =
  | { readonly ok: true; readonly parameters: PowerParameters }
  | { readonly ok: false; readonly errors: Readonly<Record<string, readonly string[]>> };

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
// Well above any real BMC's limits (IPMI passwords: 20 bytes, RFC 1035 names: 253) and small enough to log the name of.
const LONGEST = 1024;

/**
 * Checks a driver's settings as a client sent them and fills in defaults. Unknown names are errors, because a misspelt
 * `power_adress` would otherwise be found out by a machine that does not boot.
 */
export function checkPowerParameters(type: string, given: Readonly<Record<string, unknown>>): CheckedParameters {
  const described = powerType(type);
  if (!described) return { ok: false, errors: { power_type: [`'${type.slice(0, 40)}' is not a power driver.`] } };
  const errors = new Map<string, string[]>();
  const parameters = new Map<string, string | readonly string[]>();
  const known = new Set(described.fields.map((field) => field.name));
  for (const name of Object.keys(given)) if (!known.has(name)) errors.set(name, [`The ${type} driver has no such setting.`]);
  for (const field of described.fields) {
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
    const checked = checkField(field, value);
    if (typeof checked === 'object' && 'error' in checked) errors.set(field.name, [checked.error]);
    else parameters.set(field.name, checked);
  }
  return errors.size > 0 ? { ok: false, errors: Object.fromEntries(errors) } : { ok: true, parameters: Object.fromEntries(parameters) };
}

function checkField(field: PowerField, value: unknown): string | readonly string[] | { error: string } {
  if (value === undefined || value === null || (value === '' && field.field_type !== 'choice'))
    return field.required && field.default === '' ? { error: 'This field is required.' } : field.default;
  if (field.field_type === 'multiple_choice') return checkMany(field, value);
  if (typeof value !== 'string') return { error: 'Not a text.' };
  if (value.length > LONGEST) return { error: `Longer than ${LONGEST} characters.` };
  // eslint-disable-next-line no-control-regex -- these very characters are what must not reach a command or a header
  if (/[\u0000-\u001f\u007f]/.test(value)) return { error: 'Control characters are not allowed.' };
  if (field.field_type === 'choice' && !field.choices.some(([choice]) => choice === value)) return { error: notAChoice(field, value) };
  if (field.field_type === 'mac_address' && !MAC.test(value)) return { error: `'${value}' is not a MAC address.` };
  if (field.name === 'power_address' && /\s/.test(value)) return { error: 'An address has no spaces.' };
  return value;
}

function checkMany(field: PowerField, value: unknown): readonly string[] | { error: string } {
  const list: unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [undefined];
  const chosen: string[] = [];
  for (const item of list) {
    if (typeof item !== 'string') return { error: 'Not a list of texts.' };
    if (!field.choices.some(([choice]) => choice === item)) return { error: notAChoice(field, item) };
    if (item !== '') chosen.push(item);
  }
  return chosen;
}

function notAChoice(field: PowerField, value: string): string {
  const choices = field.choices.map(([choice]) => choice || '(empty)').join(', ');
  return `'${value.slice(0, 40)}' is not one of: ${choices}.`;
}

/** The same settings with every secret replaced by `hidden`, for logs, events and readers who may not see them. */
export function hideSecrets(type: string, parameters: PowerParameters, hidden = '********'): PowerParameters {
  const open = new Set(powerType(type)?.fields.flatMap((field) => (field.secret ? [] : [field.name])));
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, open.has(name) || value === '' ? value : hidden]));
}
