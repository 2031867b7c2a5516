/**
 * Parameters as they travel (strings, repeated keys, `name_KEY` keys) into the values that a route's schemas describe. Pure; all errors of
 * a request are collected, in the API's own shape `{"zone": ["…"]}`.
 *
 * An array schema is a repeated key, a record schema is `name_KEY` keys (or one JSON object under `name`), an object schema is JSON text.
 * Booleans are true/false/1/0/yes/no/on/off (and t/f/y/n) in any case. An empty string is a value for strings; for everything else, and for a string
 * whose schema refuses it, it means "not given". A text has at most {@link longestText} characters, unless its schema says how many.
 */
import { Compile } from 'typebox/compile';
import type { FieldErrors } from './errors.ts';
import { pathNames } from './route.ts';
import type { Params, Route } from './route.ts';

/** Raw values by key, in order. */
export type RawFields = ReadonlyMap<string, readonly string[]>;

export interface Decoded {
  readonly params: Readonly<Record<string, unknown>>;
  /** Keys that the route does not name, where it is `free`. */
  readonly free: Readonly<Record<string, readonly string[]>>;
  readonly errors: FieldErrors | undefined;
}

/** The part of JSON Schema that parameters use. */
interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

type Outcome = { readonly value: unknown } | { readonly error: string } | undefined;

/** Characters of a text whose schema gives no limit. */
export const longestText = 10_000;

const truths = new Map<string, boolean>([
  ...['true', '1', 'yes', 'on', 't', 'y'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off', 'f', 'n'].map((word) => [word, false] as const),
]);

function isRecord(shape: Shape): boolean {
  return shape.type === 'object' && shape.patternProperties !== undefined;
}

function choices(shape: Shape): readonly unknown[] | undefined {
  if (shape.enum !== undefined) return shape.enum;
  if (shape.const !== undefined) return [shape.const];
  const members = shape.anyOf?.filter((member) => member.type !== 'null').map((member) => choices(member));
  return members === undefined || members.some((member) => member === undefined) ? undefined : members.flatMap((member) => member ?? []);
}

function decodeString(shape: Shape, raw: string): Outcome {
  const length = [...raw].length;
  const low = shape.minLength ?? 0;
  if (raw === '' && (low > 0 || (shape.pattern !== undefined && !new RegExp(shape.pattern, 'u').test('')))) return undefined;
  if (length < low) return { error: `Ensure this value has at least ${low} characters (it has ${length}).` };
  const high = shape.maxLength ?? longestText;
  if (length > high) return { error: `Ensure this value has at most ${high} characters (it has ${length}).` };
  if (shape.pattern !== undefined && !new RegExp(shape.pattern, 'u').test(raw)) {
    return { error: `Enter a valid value: it must match ${shape.pattern}` };
  }
  return { value: raw };
}

function decodeNumber(shape: Shape, raw: string): Outcome {
  const text = raw.trim();
  if (text === '') return undefined;
  const whole = shape.type === 'integer';
  if (!(whole ? /^[-+]?\d{1,16}$/ : /^[-+]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})(e[-+]?\d{1,2})?$/i).test(text)) {
    return { error: whole ? 'Enter a whole number.' : 'Enter a number.' };
  }
  const value = Number(text) + 0;
  if (whole && !Number.isSafeInteger(value)) return { error: 'Enter a whole number.' };
  if (shape.minimum !== undefined && value < shape.minimum)
    return { error: `Ensure this value is greater than or equal to ${shape.minimum}.` };
  if (shape.maximum !== undefined && value > shape.maximum)
    return { error: `Ensure this value is less than or equal to ${shape.maximum}.` };
  return { value };
}

function decodeChoice(known: readonly unknown[], raw: string): Outcome {
  const found = known.find((choice) => String(choice) === raw);
  if (found !== undefined) return { value: found };
  if (raw === '') return undefined;
  const list = known.map((choice) => `'${String(choice)}'`).join(', ');
  return { error: `'${raw.slice(0, 100)}' is not a valid choice. It should be one of: ${list}.` };
}

/** Levels of what is sent as JSON: what is written by recursion must come to an end. */
const deepestJson = 100;

const isText = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Why a value that JSON can say cannot be stored: NUL, half a character, no bottom; undefined when it can. */
function refuseValue(value: unknown): string | undefined {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > deepestJson) return `Enter JSON of at most ${deepestJson} levels.`;
    const next: unknown[] = [];
    for (const one of level) {
      if (typeof one === 'string' && !isText(one)) return 'Enter text without NUL and half characters.';
      if (typeof one !== 'object' || one === null) continue;
      if (Array.isArray(one)) for (const member of one) next.push(member);
      else
        for (const [key, member] of Object.entries(one)) {
          if (!isText(key)) return 'Enter text without NUL and half characters.';
          next.push(member);
        }
    }
    level = next;
  }
  return undefined;
}

function decodeJson(raw: string): Outcome {
  if (raw.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return { error: 'Enter valid JSON.' };
  }
  const error = refuseValue(value);
  return error === undefined ? { value } : { error };
}

/** One raw string by its schema; undefined when it means "not given". */
function decodeOne(shape: Shape, raw: string): Outcome {
  const known = choices(shape);
  if (known !== undefined) return decodeChoice(known, raw);
  if (shape.anyOf !== undefined) return decodeAny(shape.anyOf, raw);
  if (shape.type === 'string') return decodeString(shape, raw);
  if (shape.type === 'integer' || shape.type === 'number') return decodeNumber(shape, raw);
  if (shape.type === 'object' || shape.type === 'array') return decodeJson(raw);
  if (shape.type === 'boolean') {
    const value = truths.get(raw.trim().toLowerCase());
    if (value !== undefined) return { value };
    return raw.trim() === '' ? undefined : { error: 'Enter a valid value: true or false.' };
  }
  return { value: raw };
}

/** The first member that takes it; an empty string is null where null is allowed. */
function decodeAny(members: readonly Shape[], raw: string): Outcome {
  if (raw === '' && members.some((member) => member.type === 'null')) return { value: null };
  let error: Outcome;
  for (const member of members.filter((one) => one.type !== 'null')) {
    const outcome = decodeOne(member, raw);
    if (outcome !== undefined && 'value' in outcome) return outcome;
    error ??= outcome;
  }
  return error;
}

function decodeList(shape: Shape, raws: readonly string[]): Outcome {
  const values: unknown[] = [];
  for (const raw of raws) {
    const outcome = decodeOne(shape.items ?? {}, raw);
    if (outcome === undefined) continue;
    if ('error' in outcome) return outcome;
    values.push(outcome.value);
  }
  if (values.length < (shape.minItems ?? 0)) return values.length === 0 ? undefined : { error: `Give at least ${shape.minItems}.` };
  if (shape.maxItems !== undefined && values.length > shape.maxItems) return { error: `Give at most ${shape.maxItems}.` };
  return { value: values };
}

/** The own keys of a JSON object as strings, nested values as JSON. */
function jsonEntries(raw: string): [string, string][] | undefined {
  const outcome = decodeJson(raw);
  if (outcome === undefined) return [];
  if ('error' in outcome || typeof outcome.value !== 'object' || outcome.value === null || Array.isArray(outcome.value)) return undefined;
  return Object.entries(outcome.value).map(([key, value]: [string, unknown]) => {
    if (value === null) return [key, ''];
    return [key, typeof value === 'string' ? value : JSON.stringify(value)];
  });
}

function decodeRecord(shape: Shape, name: string, fields: RawFields, declared: ReadonlySet<string>): Outcome {
  const item = Object.values(shape.patternProperties ?? {})[0] ?? {};
  const entries: [string, string][] = [];
  const whole = fields.get(name)?.at(-1);
  if (whole !== undefined) {
    const nested = jsonEntries(whole);
    if (nested === undefined) return { error: 'Enter a JSON object.' };
    entries.push(...nested);
  }
  for (const [key, values] of fields) {
    if (key.startsWith(`${name}_`) && key.length > name.length + 1 && !declared.has(key))
      entries.push([key.slice(name.length + 1), values.at(-1) ?? '']);
  }
  if (entries.length === 0) return undefined;
  const record = new Map<string, unknown>();
  for (const [key, raw] of entries) {
    const outcome = decodeOne(item, raw);
    if (outcome === undefined) continue;
    if ('error' in outcome) return { error: `${key}: ${outcome.error}` };
    record.set(key, outcome.value);
  }
  return { value: Object.fromEntries(record) };
}

function decodeParam(shape: Shape, name: string, fields: RawFields, declared: ReadonlySet<string>): Outcome {
  if (isRecord(shape)) return decodeRecord(shape, name, fields, declared);
  const values = fields.get(name);
  if (values === undefined) return undefined;
  if (shape.type === 'array') return decodeList(shape, values);
  const last = values.at(-1) ?? '';
  const outcome = decodeOne(shape, last);
  return outcome;
}

/** A decoder for one route's parameters, its schemas compiled once. */
export function parameterDecoder(route: Pick<Route, 'params' | 'free'>): (fields: RawFields) => Decoded {
  const params: Params = route.params;
  const names = Object.keys(params);
  const declared = new Set(names);
  const prefixes = names.filter((name) => isRecord((params[name] as Params[string]).schema as Shape)).map((name) => `${name}_`);
  const checks = new Map(names.map((name) => [name, Compile((params[name] as Params[string]).schema)]));

  return (fields) => {
    const values = new Map<string, unknown>();
    const errors = new Map<string, string[]>();
    for (const [name, param] of Object.entries(params)) {
      const outcome = decodeParam(param.schema as Shape, name, fields, declared);
      if (outcome === undefined) {
        if (param.required) errors.set(name, ['This field is required.']);
      } else if ('error' in outcome) errors.set(name, [outcome.error]);
      else if (checks.get(name)?.Check(outcome.value) === true) values.set(name, outcome.value);
      else
        errors.set(
          name,
          checks
            .get(name)
            ?.Errors(outcome.value)
            .map((error) => `Enter a valid value: ${`${error.instancePath} ${error.message}`.trim()}.`) ?? [],
        );
    }
    const free = new Map<string, readonly string[]>();
    if (route.free) {
      for (const [key, list] of fields) if (!declared.has(key) && !prefixes.some((prefix) => key.startsWith(prefix))) free.set(key, list);
    }
    return {
      params: Object.fromEntries(values),
      free: Object.fromEntries(free),
      errors: errors.size === 0 ? undefined : Object.fromEntries(errors),
    };
  };
}

/** Keys that no parameter of the route takes (`No such constraint.` is the handler's to say). */
export function unknownKeys(route: Pick<Route, 'params' | 'path'>, fields: RawFields): string[] {
  const names = [...Object.keys(route.params), ...pathNames(route.path)];
  return [...fields.keys()].filter(
    (key) => !names.some((name) => key === name || (key.startsWith(`${name}_`) && isRecord((route.params[name]?.schema ?? {}) as Shape))),
  );
}
