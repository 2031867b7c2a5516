/** Conditions on machines as SQL: what lists filter by and what allocations ask for, each one predicate on `machine m`. */
import { sql, type RawBuilder } from 'kysely';
import type { PowerState } from './schema.ts';

/** What a machine is tried by. Lists are alternatives, unless it says `all`. */
export type MachineTest =
  | { readonly is: 'system_id' | 'hostname' | 'mac' | 'domain' | 'agent_name' | 'architecture' | 'owner'; readonly of: readonly string[] }
  | { readonly is: 'power_state'; readonly of: readonly PowerState[] }
  | { readonly is: 'status' | 'zone' | 'pool' | 'any_tag' | 'all_tags'; readonly of: readonly number[] }
  | { readonly is: 'cpu_count' | 'memory'; readonly least: number };

export interface MachineCondition {
  /** The parameter that it came from: `not_in_zone`. */
  readonly name: string;
  readonly not: boolean;
  readonly test: MachineTest;
}

type Predicate = RawBuilder<boolean>;

const texts = (values: readonly string[]) => sql`${values as string[]}::text[]`;
const numbers = (values: readonly number[]) => sql`${values as number[]}::bigint[]`;

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
      return sql`exists (select from machine_tag t where t.system_id = m.system_id and t.tag_id = any (${numbers(test.of)}))`;
    case 'all_tags':
      return sql`(select count(*) from machine_tag t where t.system_id = m.system_id and t.tag_id = any (${numbers(test.of)})) = ${new Set(test.of).size}`;
    case 'cpu_count':
      return sql`m.cpu_count >= ${test.least}::numeric`;
    case 'memory':
      return sql`m.memory >= ${test.least}::numeric`;
  }
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
