/** Conditions on machines as SQL: what lists filter by and what allocations ask for, each one predicate on `machine m`. */
import { sql, type RawBuilder } from 'kysely';
import { deviceKeys, type DeviceWish } from '../../contract/constraints/devices-constraint.ts';
import type { InterfaceWish } from '../../contract/constraints/interfaces-constraint.ts';
import type { Specifier } from '../../contract/constraints/network-specifier.ts';
import type { StorageWish } from '../../contract/constraints/storage-constraint.ts';
import { anyOf, subnetOfMachine, vlanOfMachine, vlanSql, wishSql } from './network-filter.ts';
import type { PowerState } from './schema.ts';
import { devicesByLabel, devicesSql } from './storage-filter.ts';

/** What a machine is tried by. Lists are alternatives, unless it says `all`. */
export type MachineTest =
  | {
      readonly is: 'system_id' | 'hostname' | 'mac' | 'domain' | 'agent_name' | 'architecture' | 'owner' | 'fabric' | 'fabric_class';
      readonly of: readonly string[];
    }
  | { readonly is: 'power_state'; readonly of: readonly PowerState[] }
  | { readonly is: 'status' | 'zone' | 'pool' | 'any_tag' | 'all_tags'; readonly of: readonly number[] }
  | { readonly is: 'ephemeral'; readonly of: readonly boolean[] }
  | { readonly is: 'cpu_count' | 'cpu_speed' | 'memory' | 'link_speed'; readonly least: number }
  | { readonly is: 'subnets' | 'vlans'; readonly of: readonly Specifier[]; readonly all: boolean }
  | { readonly is: 'interfaces'; readonly of: readonly InterfaceWish[] }
  | { readonly is: 'storage'; readonly of: readonly StorageWish[] }
  | { readonly is: 'devices'; readonly of: readonly DeviceWish[] };

export interface MachineCondition {
  /** The parameter that it came from: `not_in_zone`. */
  readonly name: string;
  readonly not: boolean;
  readonly test: MachineTest;
}

type Predicate = RawBuilder<boolean>;

const texts = (values: readonly string[]) => sql`${values as string[]}::text[]`;
const numbers = (values: readonly number[]) => sql`${values as number[]}::bigint[]`;

/**
 * Whatever looks into another table says `offset 0`: then it stays a look by index at one machine after the other, cheapest first, until one
 * fits, and never becomes a join with all interfaces, disks or tags there are.
 */
function testSql(test: MachineTest): Predicate {
  switch (test.is) {
    case 'system_id':
      return sql`m.system_id = any (${texts(test.of)})`;
    case 'hostname':
      return sql`(lower(m.hostname) = any (${texts(test.of.map(lower))}) or exists (
        select from domain d where d.id = m.domain_id and lower(m.hostname || '.' || d.name) = any (${texts(test.of.map(lower))})))`;
    case 'mac':
      return sql`m.system_id in (select i.system_id from interface i where i.mac = any (${texts(test.of.map(lower))}))`;
    case 'domain':
      return sql`m.domain_id in (select d.id from domain d where d.name = any (${texts(test.of)}) or d.id::text = any (${texts(test.of)}))`;
    case 'agent_name':
      return sql`m.agent_name = any (${texts(test.of)})`;
    case 'architecture':
      // `amd64` stands for all of its kind.
      return sql`(m.architecture = any (${texts(test.of)}) or split_part(m.architecture, '/', 1) = any (${texts(test.of)}))`;
    case 'owner':
      return sql`coalesce(m.owner = any (${texts(test.of)}), false)`;
    case 'power_state':
      return sql`m.power_state = any (${texts(test.of)})`;
    case 'status':
      return sql`m.status = any (${numbers(test.of)})`;
    case 'zone':
      return sql`m.zone_id = any (${numbers(test.of)})`;
    case 'pool':
      return sql`m.pool_id = any (${numbers(test.of)})`;
    case 'any_tag':
      return sql`exists (select from machine_tag t where t.system_id = m.system_id and t.tag_id = any (${numbers(test.of)}) offset 0)`;
    case 'all_tags':
      return sql`(select count(*) from machine_tag t where t.system_id = m.system_id and t.tag_id = any (${numbers(test.of)})) = ${new Set(test.of).size}`;
    case 'ephemeral':
      return sql`m.ephemeral = any (${test.of as boolean[]}::boolean[])`;
    case 'cpu_count':
      return sql`m.cpu_count >= ${test.least}::numeric`;
    case 'cpu_speed':
      return sql`m.cpu_speed >= ${test.least}::numeric`;
    case 'memory':
      return sql`m.memory >= ${test.least}::numeric`;
    case 'link_speed':
      return sql`exists (select from interface i where i.system_id = m.system_id and i.link_speed >= ${test.least}::numeric offset 0)`;
    case 'subnets':
      return joined(test, test.of.map(subnetOfMachine));
    case 'vlans':
      return joined(
        test,
        test.of.map((one) => vlanOfMachine(vlanSql(one))),
      );
    case 'fabric':
      return vlanOfMachine(sql`v.fabric_id in (select f.id from fabric f where f.name = any (${texts(test.of)}))`);
    case 'fabric_class':
      return vlanOfMachine(sql`v.fabric_id in (select f.id from fabric f where f.class_type = any (${texts(test.of)}))`);
    case 'interfaces':
      return sql`(${sql.join(
        test.of.map((wish) => sql`exists (select ${wishSql(wish)} offset 0)`),
        sql` and `,
      )})`;
    case 'storage':
      return sql`exists (select ${devicesSql(test.of)} offset 0)`;
    case 'devices':
      return sql`(${sql.join(test.of.map(deviceSql), sql` and `)})`;
  }
}

function joined({ all }: { readonly all: boolean }, predicates: readonly Predicate[]): Predicate {
  return all ? sql`(${sql.join([...predicates], sql` and `)})` : anyOf(predicates);
}

/** Ids without 0x, in lower case, as they are kept. */
function deviceSql(wish: DeviceWish): Predicate {
  const each = deviceKeys.flatMap((key) => {
    const value = wish[key];
    if (value === undefined) return [];
    return [sql`${sql.ref(`d.${key}`)} = ${key.endsWith('_id') ? value.toLowerCase().replace(/^0x/, '') : value}::text`];
  });
  return sql`exists (select from node_device d where d.system_id = m.system_id and ${sql.join(each, sql` and `)} offset 0)`;
}

function lower(text: string): string {
  return text.toLowerCase();
}

/** One condition on `machine m`, never null. */
export function conditionSql(condition: MachineCondition): Predicate {
  const test = testSql(condition.test);
  return condition.not ? sql`not (${test})` : test;
}

/** All of them; true for none. */
export function allOf(conditions: readonly MachineCondition[]): Predicate {
  return sql.join([sql`true`, ...conditions.map(conditionSql)], sql` and `) as Predicate;
}

/** Conditions whose SQL is the same whatever values they have: of others there are too many kinds to be prepared once. */
export function arePlain(conditions: readonly MachineCondition[]): boolean {
  return conditions.every(({ test }) => !['subnets', 'vlans', 'interfaces', 'storage', 'devices'].includes(test.is));
}

/**
 * Which devices and interfaces of `machine m` answer the labels of these conditions, as `constraints_by_type` shows it; undefined when
 * none of them has labels.
 */
export function matchesSql(conditions: readonly MachineCondition[]): RawBuilder<unknown> | undefined {
  const pairs = conditions.flatMap(({ test }) => {
    if (test.is === 'storage') return [sql`'storage', (select ${devicesByLabel(test.of)} ${devicesSql(test.of)})`];
    if (test.is !== 'interfaces') return [];
    const labels = test.of.map((wish) => sql`${wish.label}::text, (select coalesce(jsonb_agg(i.id order by i.id), '[]') ${wishSql(wish)})`);
    return [sql`'interfaces', jsonb_build_object(${sql.join(labels)})`];
  });
  return pairs.length === 0 ? undefined : sql`jsonb_build_object(${sql.join(pairs)})`;
}
