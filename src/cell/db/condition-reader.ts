/**
 * Parameters that say which machines are meant, as conditions: what lists and allocations have in common (contract/resources/machine-filters.ts).
 * Pure. Names of global things become ids here; names of networks are the database's to find, as each cell knows only its own.
 */
import { isIP } from 'node:net';
import { readArchitecture } from '../../contract/architecture.ts';
import { parseDevices, type DeviceWish } from '../../contract/constraints/devices-constraint.ts';
import { parseInterfaces, type InterfaceTest, type InterfaceWish } from '../../contract/constraints/interfaces-constraint.ts';
import { parseSpecifier, type NetworkKind, type Parsed, type Specifier } from '../../contract/constraints/network-specifier.ts';
import { parseStorage, storageWishes } from '../../contract/constraints/storage-constraint.ts';
import { wordList } from '../../contract/word-list.ts';
import type { GlobalReader } from '../../global/document.ts';
import { missingText, namedIds } from '../../global/named-ids.ts';
import type { MachineCondition, MachineTest } from './machine-filter.ts';
import type { PowerState } from './schema.ts';

export interface Reading {
  readonly global: Pick<GlobalReader, 'named' | 'retired'>;
  /** By parameter: what is wrong with it. */
  readonly errors: Record<string, string[]>;
}

/** A condition as it will be tried, with the words that say how it was understood. */
export interface Constraint {
  readonly condition: MachineCondition;
  readonly resolved: string;
}

/** As Python writes a float: clients' logs show it. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

function read<T>(parsed: Parsed<T>): T {
  if ('error' in parsed) throw new Unreadable(parsed.error);
  return parsed.value;
}

function address(text: string, isNetwork: boolean): string {
  const [host = '', prefix, ...more] = text.split('/');
  const family = host.includes('%') ? 0 : isIP(host);
  const isPrefix = prefix !== undefined && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32);
  if (family === 0 || more.length > 0 || (isNetwork ? !isPrefix : prefix !== undefined))
    throw new Unreadable(`'${text.slice(0, 60)}' is not ${isNetwork ? 'a network, such as 10.0.0.0/24' : 'an IP address'}.`);
  return text;
}

/** The specifier with ids for the names of spaces, and with addresses that are some. @throws Unreadable */
function resolved({ global }: Reading, specifier: Specifier, kind: NetworkKind): Specifier {
  if ('that' in specifier) return { is: specifier.is, that: resolved({ global, errors: {} }, specifier.that, specifier.is) };
  if (specifier.is === 'cidr' || specifier.is === 'ip')
    return { is: specifier.is, value: address(specifier.value, specifier.is === 'cidr') };
  if (specifier.is === 'mac') return { is: 'mac', value: specifier.value.toLowerCase().replaceAll('-', ':') };
  if (kind !== 'space' || specifier.is !== 'name') return specifier;
  const space = global.named('space', specifier.value);
  if (!space) throw new Unreadable(`No such space: '${specifier.value.slice(0, 100)}'.`);
  return { is: 'id', value: space.id };
}

/** Each is one more look at every machine. */
const mostNetworks = 32;

function specifiers(reading: Reading, kind: NetworkKind, values: readonly string[]): readonly Specifier[] {
  const given = values.flatMap((value) => value.split(',')).filter((value) => value.trim() !== '');
  if (given.length > mostNetworks) throw new Unreadable(`At most ${mostNetworks} networks can be named.`);
  return given.map((value) => resolved(reading, read(parseSpecifier(kind, value)), kind));
}

function interfaceTest(reading: Reading, test: InterfaceTest): InterfaceTest {
  const { key } = test;
  if (key === 'fabric' || key === 'subnet' || key === 'space' || key === 'vlan')
    return { ...test, of: test.of.map((one) => resolved(reading, one, key)) };
  if (key === 'ip' || key === 'subnet_cidr') return { ...test, of: test.of.map((one) => address(one, key === 'subnet_cidr')) };
  return test;
}

function interfaceWishes(reading: Reading, text: string): readonly InterfaceWish[] {
  return read(parseInterfaces(text)).map(({ label, tests }) => ({ label, tests: tests.map((test) => interfaceTest(reading, test)) }));
}

/** What one parameter means, by its name without `not_` and `in_`. Undefined: it says nothing. @throws Unreadable */
type Reader = (
  reading: Reading,
  values: readonly string[],
  isNot: boolean,
) => { readonly test: MachineTest; readonly words?: string } | undefined;

const least =
  (is: 'cpu_count' | 'cpu_speed' | 'memory' | 'link_speed'): Reader =>
  (_, values) => {
    const numbers = values.map(Number);
    return { test: { is, least: Math.min(...numbers) }, words: numbers.map(float).join(',') };
  };

const named =
  (kind: 'zone' | 'pool'): Reader =>
  ({ global }, values) => {
    const { ids, missing } = namedIds(global, kind, values);
    const text = missingText(kind, missing);
    if (text !== undefined) throw new Unreadable(text);
    return { test: { is: kind, of: ids } };
  };

const networks =
  (is: 'subnets' | 'vlans', kind: NetworkKind): Reader =>
  (reading, values, isNot) => {
    const of = specifiers(reading, kind, values);
    return of.length === 0 ? undefined : { test: { is, of, all: !isNot } };
  };

const readers: Readonly<Record<string, Reader>> = {
  system_id: (_, of) => ({ test: { is: 'system_id', of } }),
  hostname: (_, of) => ({ test: { is: 'hostname', of } }),
  domain: (_, of) => ({ test: { is: 'domain', of } }),
  agent_name: (_, of) => ({ test: { is: 'agent_name', of } }),
  owner: (_, of) => ({ test: { is: 'owner', of } }),
  mac_address: (_, values) => ({ test: { is: 'mac', of: values.map((mac) => mac.replaceAll('-', ':')) } }),
  power_state: (_, of) => ({ test: { is: 'power_state', of: of as readonly PowerState[] } }),
  deployment_target: (_, values) => ({ test: { is: 'ephemeral', of: values.map((value) => value === 'memory') } }),
  arch: (_, values) => {
    const of = values.flatMap((value) => readArchitecture(value) ?? []);
    if (of.length < values.length) throw new Unreadable('Architecture not recognised.');
    return { test: { is: 'architecture', of }, words: of.join(',') };
  },
  tags: ({ global }, values, isNot) => {
    const words = wordList(values);
    if (words.length === 0) return undefined;
    const { ids, missing } = namedIds(global, 'tag', words);
    // What nobody has cannot be had: fine to exclude, an error to ask for.
    const text = isNot ? undefined : missingText('tag', missing);
    if (text !== undefined) throw new Unreadable(text);
    return { test: { is: isNot ? 'any_tag' : 'all_tags', of: ids }, words: words.join(',') };
  },
  zone: named('zone'),
  pool: named('pool'),
  cpu_count: least('cpu_count'),
  cpu_speed: least('cpu_speed'),
  mem: least('memory'),
  link_speed: least('link_speed'),
  subnets: networks('subnets', 'subnet'),
  vlans: networks('vlans', 'vlan'),
  fabrics: (_, of) => ({ test: { is: 'fabric', of } }),
  fabric_classes: (_, of) => ({ test: { is: 'fabric_class', of } }),
  // Of what is no list in MAAS, the last counts.
  storage: (_, values) => ({ test: { is: 'storage', of: storageWishes(read(parseStorage(values.at(-1) ?? ''))) } }),
  interfaces: (reading, values) => ({ test: { is: 'interfaces', of: interfaceWishes(reading, values.at(-1) ?? '') } }),
  devices: (_, values) => ({ test: { is: 'devices', of: values.map((value): DeviceWish => read(parseDevices(value))) } }),
};

/**
 * The condition that this parameter means; undefined when it says nothing, or when it is wrong: `reading.errors` says how. A name that has
 * no reader is the caller's mistake.
 */
export function readCondition(reading: Reading, name: string, values: readonly string[]): Constraint | undefined {
  const isNot = name.startsWith('not_');
  const reader = readers[name.replace(/^not_(in_)?/, '')];
  if (reader === undefined) throw new Error(`nobody reads the parameter ${name}`);
  if (values.length === 0) return undefined;
  try {
    const found = reader(reading, values, isNot);
    return found && { condition: { name, not: isNot, test: found.test }, resolved: `${name}=${found.words ?? values.join(',')}` };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    reading.errors[name] = [error.message];
    return undefined;
  }
}
