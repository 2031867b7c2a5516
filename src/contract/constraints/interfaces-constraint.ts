/**
 * `interfaces=`: the interfaces that a machine must have, as `office:space=lan,link_speed=1000;data:vlan=vid:10,not_tag=slow`. Values of one key
 * are alternatives, keys are joined by and; each label must be met by an interface of the same machine. Pure (maas-api.md §1.5).
 */
import { parseSpecifier, renderSpecifier, type NetworkKind, type Parsed, type Specifier } from './network-specifier.ts';

/** Keys whose values name networks, and the kind of them. */
const networkKeys = { fabric: 'fabric', subnet: 'subnet', space: 'space', vlan: 'vlan' } as const satisfies Record<string, NetworkKind>;
const textKeys = ['fabric_class', 'ip', 'name', 'hostname', 'subnet_cidr', 'type', 'tag'] as const;
/** How an interface gets its address; `unconfigured`: not at all. */
const modes: readonly string[] = ['auto', 'dhcp', 'static', 'link_up', 'unconfigured'];

export type InterfaceTest =
  | { readonly key: keyof typeof networkKeys; readonly not: boolean; readonly of: readonly Specifier[] }
  | { readonly key: (typeof textKeys)[number] | 'mode'; readonly not: boolean; readonly of: readonly string[] }
  | { readonly key: 'id' | 'vid'; readonly not: boolean; readonly of: readonly number[] }
  | { readonly key: 'link_speed'; readonly not: false; readonly of: readonly [number] };

export interface InterfaceWish {
  readonly label: string;
  readonly tests: readonly InterfaceTest[];
}

const mostLabels = 32;
const mostTests = 64;
const labelForm = /^[a-zA-Z0-9]+[a-zA-Z0-9_-]*$/;

function malformed(text: string, why: string): Parsed<never> {
  return { error: `Malformed interfaces constraint, "${text.slice(0, 200)}": ${why}` };
}

function testOf(key: string, not: boolean, values: readonly string[]): Parsed<InterfaceTest> {
  const unknown = { error: `'${not ? 'not_' : ''}${key.slice(0, 40)}' is no key of interfaces.` };
  if (Object.hasOwn(networkKeys, key)) {
    const name = key as keyof typeof networkKeys;
    const of: Specifier[] = [];
    for (const value of values) {
      const specifier = parseSpecifier(networkKeys[name], value);
      if ('error' in specifier) return specifier;
      of.push(specifier.value);
    }
    return { value: { key: name, not, of } };
  }
  const text = [...textKeys, 'mode' as const].find((one) => one === key);
  if (text === 'mode') {
    const wrong = values.find((value) => !modes.includes(value));
    if (wrong !== undefined) return { error: `'${wrong.slice(0, 40)}' is not a mode: ${modes.join(', ')}.` };
  }
  if (text !== undefined) return { value: { key: text, not, of: values } };
  if (key === 'id' || key === 'vid') {
    const of = values.map((value) => (key === 'vid' && value === 'untagged' ? 0 : /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN));
    return of.some(Number.isNaN) ? { error: `${key} is a number.` } : { value: { key, not, of } };
  }
  if (key !== 'link_speed' || not) return unknown;
  const speeds = values.map((value) => (/^\d{1,9}(\.\d{1,9})?$/.test(value) ? Number(value) : Number.NaN));
  return speeds.some(Number.isNaN)
    ? { error: 'link_speed is a number, in Mbit/s.' }
    : { value: { key, not: false, of: [Math.min(...speeds)] } };
}

export function parseInterfaces(text: string): Parsed<readonly InterfaceWish[]> {
  const wishes: InterfaceWish[] = [];
  let tests = 0;
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const at = part.indexOf(':');
    const label = part.slice(0, Math.max(0, at)).trim();
    if (!labelForm.test(label)) return malformed(text, 'each part is LABEL:KEY=VALUE, joined by commas.');
    if (wishes.some((one) => one.label === label)) return malformed(text, `${label} is there twice.`);
    const values = new Map<string, string[]>();
    for (const pair of part.slice(at + 1).split(',')) {
      const equals = pair.indexOf('=');
      const key = pair.slice(0, Math.max(0, equals)).trim();
      const value = pair.slice(equals + 1).trim();
      if (key === '' || value === '') return malformed(text, 'each part is LABEL:KEY=VALUE, joined by commas.');
      values.set(key, [...(values.get(key) ?? []), value]);
      tests += 1;
    }
    const found: InterfaceTest[] = [];
    for (const [key, of] of values) {
      const not = key.startsWith('not_');
      const test = testOf(not ? key.slice(4) : key, not, of);
      if ('error' in test) return malformed(text, test.error);
      found.push(test.value);
    }
    wishes.push({ label, tests: found });
  }
  if (wishes.length === 0) return malformed(text, 'each part is LABEL:KEY=VALUE, joined by commas.');
  if (wishes.length > mostLabels || tests > mostTests) return malformed(text, `at most ${mostLabels} labels and ${mostTests} values.`);
  return { value: wishes };
}

export function renderInterfaces(wishes: readonly InterfaceWish[]): string {
  const word = (value: string | number | Specifier): string => (typeof value === 'object' ? renderSpecifier(value) : String(value));
  return wishes
    .map(({ label, tests }) => {
      const pairs = tests.flatMap(({ key, not, of }) => of.map((value) => `${not ? 'not_' : ''}${key}=${word(value)}`));
      return `${label}:${pairs.join(',')}`;
    })
    .join(';');
}
