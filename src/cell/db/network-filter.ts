/** What constraints say of networks and interfaces as SQL: predicates on `subnet s`, `vlan v`, `fabric f` and `interface i`, never null. */
import { sql, type RawBuilder } from 'kysely';
import type { InterfaceTest, InterfaceWish } from '../../contract/constraints/interfaces-constraint.ts';
import type { NetworkKind, Specifier } from '../../contract/constraints/network-specifier.ts';

type Predicate = RawBuilder<boolean>;

const texts = (values: readonly string[]) => sql`${values as string[]}::text[]`;
const numbers = (values: readonly number[]) => sql`${values as number[]}::bigint[]`;

export function anyOf(predicates: readonly Predicate[]): Predicate {
  return predicates.length === 0 ? sql<boolean>`false` : sql<boolean>`(${sql.join([...predicates], sql` or `)})`;
}

/** VLANs of a predicate on `vlan v`. */
const vlansWhere = (where: Predicate) => sql`select v.id from vlan v where ${where}`;

export function vlanSql(specifier: Specifier): Predicate {
  switch (specifier.is) {
    case 'id':
      return sql`v.id = ${specifier.value}::bigint`;
    case 'vid':
      return sql`v.vid = ${specifier.value}::int`;
    case 'name':
      return sql`v.name = ${specifier.value}::text`;
    case 'space':
      return spaceSql(specifier.that);
    case 'fabric':
      return sql`v.fabric_id in (select f.id from fabric f where ${fabricSql(specifier.that)})`;
    case 'subnet':
      return sql`v.id in (select s.vlan_id from subnet s where ${subnetSql(specifier.that)})`;
    default:
      return sql`false`;
  }
}

/** Of a VLAN: its space. Names of spaces are ids by now. */
function spaceSql(specifier: Specifier): Predicate {
  if (specifier.is === 'none') return sql`v.space_id is null`;
  return specifier.is === 'id' ? sql`coalesce(v.space_id = ${specifier.value}::bigint, false)` : sql`false`;
}

function fabricSql(specifier: Specifier): Predicate {
  switch (specifier.is) {
    case 'id':
      return sql`f.id = ${specifier.value}::bigint`;
    case 'name':
      return sql`f.name = ${specifier.value}::text`;
    case 'vlan':
      return sql`f.id in (select v.fabric_id from vlan v where ${vlanSql(specifier.that)})`;
    case 'subnet':
      return sql`f.id in (select v.fabric_id from subnet s join vlan v on v.id = s.vlan_id where ${subnetSql(specifier.that)})`;
    default:
      return sql`false`;
  }
}

function subnetSql(specifier: Specifier): Predicate {
  switch (specifier.is) {
    case 'id':
      return sql`s.id = ${specifier.value}::bigint`;
    case 'name':
      return sql`s.name = ${specifier.value}::text`;
    case 'cidr':
      return sql`s.cidr = network(${specifier.value}::inet)`;
    case 'ip':
      return sql`s.cidr >>= ${specifier.value}::inet`;
    case 'vid':
      return sql`s.vlan_id in (${vlansWhere(vlanSql(specifier))})`;
    case 'vlan':
      return sql`s.vlan_id in (${vlansWhere(vlanSql(specifier.that))})`;
    case 'space':
      return sql`s.vlan_id in (${vlansWhere(spaceSql(specifier.that))})`;
    case 'fabric':
      return sql`s.vlan_id in (${vlansWhere(vlanSql(specifier))})`;
    case 'interface':
      return sql`s.id in (select l.subnet_id from interface i join interface_link l on l.interface_id = i.id where l.subnet_id is not null and ${interfaceSql(specifier.that)})`;
    default:
      return sql`false`;
  }
}

function interfaceSql(specifier: Specifier): Predicate {
  switch (specifier.is) {
    case 'id':
      return sql`i.id = ${specifier.value}::bigint`;
    case 'name':
      return sql`i.name = ${specifier.value}::text`;
    case 'mac':
      return sql`coalesce(i.mac = ${specifier.value}::text, false)`;
    case 'vlan':
      return inVlan(vlanSql(specifier.that));
    case 'fabric':
      return inVlan(vlanSql(specifier));
    case 'space':
      return inVlan(vlanSql(specifier));
    default:
      return sql`false`;
  }
}

/** An interface that is cabled to nothing known is in no VLAN. */
function inVlan(where: Predicate): Predicate {
  return sql`coalesce(i.vlan_id in (${vlansWhere(where)}), false)`;
}

const linked = (where: Predicate): Predicate =>
  sql`exists (select from interface_link l join subnet s on s.id = l.subnet_id where l.interface_id = i.id and ${where})`;

const byKind = { vlan: (one: Specifier) => inVlan(vlanSql(one)), subnet: (one: Specifier) => linked(subnetSql(one)) };

/** One key of a label, its values alternatives. */
function testSql(test: InterfaceTest): Predicate {
  switch (test.key) {
    case 'id':
      return sql`i.id = any (${numbers(test.of)})`;
    case 'vid':
      return inVlan(sql`v.vid = any (${numbers(test.of)})`);
    case 'link_speed':
      return sql`i.link_speed >= ${test.of[0]}::numeric`;
    case 'name':
      return sql`i.name = any (${texts(test.of)})`;
    case 'type':
      return sql`i.type = any (${texts(test.of)})`;
    case 'tag':
      return sql`i.tags && ${texts(test.of)}`;
    case 'hostname':
      return sql`lower(m.hostname) = any (${texts(test.of.map((one) => one.toLowerCase()))})`;
    case 'ip':
      return sql`exists (select from interface_link l where l.interface_id = i.id and l.ip = any (${texts(test.of)}::inet[]))`;
    case 'mode':
      return modeSql(test.of);
    case 'subnet_cidr':
      return anyOf(test.of.map((value) => linked(subnetSql({ is: 'cidr', value }))));
    case 'fabric_class':
      return inVlan(sql`v.fabric_id in (select f.id from fabric f where f.class_type = any (${texts(test.of)}))`);
    case 'vlan':
    case 'subnet':
      return anyOf(test.of.map(byKind[test.key]));
    case 'fabric':
    case 'space':
      return anyOf(test.of.map((that) => inVlan(vlanSql({ is: test.key as NetworkKind, that }))));
  }
}

function modeSql(modes: readonly string[]): Predicate {
  const configured = modes.filter((mode) => mode !== 'unconfigured');
  const unconfigured = sql<boolean>`not exists (select from interface_link l where l.interface_id = i.id and l.mode <> 'link_up')`;
  const some = sql<boolean>`exists (select from interface_link l where l.interface_id = i.id and l.mode = any (${texts(configured)}))`;
  return anyOf([...(configured.length > 0 ? [some] : []), ...(modes.includes('unconfigured') ? [unconfigured] : [])]);
}

/** Interfaces of `machine m` that meet one label. */
export function wishSql({ tests }: InterfaceWish): RawBuilder<unknown> {
  const all = tests.map((test) => (test.not ? sql<boolean>`not (${testSql(test)})` : testSql(test)));
  return sql`from interface i where i.system_id = m.system_id and ${sql.join(all, sql` and `)}`;
}

/** Is `machine m` linked to this subnet? */
export function subnetOfMachine(specifier: Specifier): Predicate {
  return sql`exists (select from interface i join interface_link l on l.interface_id = i.id join subnet s on s.id = l.subnet_id
    where i.system_id = m.system_id and ${subnetSql(specifier)} offset 0)`;
}

/** Has `machine m` an interface in a VLAN of which this is so? */
export function vlanOfMachine(where: Predicate): Predicate {
  return sql`exists (select from interface i join vlan v on v.id = i.vlan_id where i.system_id = m.system_id and ${where} offset 0)`;
}
