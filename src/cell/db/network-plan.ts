/** The network as one read for DHCP and router advertisements, and the addresses that machines in DHCP mode keep. */
import { sql, type RawBuilder } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { freeAddress } from './subnet-store.ts';

export interface SnippetRow {
  readonly name: string;
  readonly json: string;
}

export interface NetworkRow {
  readonly vlan_id: number;
  readonly dhcp_on: boolean;
  readonly mtu: number;
  readonly subnets: readonly {
    readonly id: number;
    readonly cidr: string;
    readonly gateway_ip: string | null;
    readonly dns_servers: readonly string[];
    readonly ranges: readonly {
      readonly type: 'dynamic' | 'reserved';
      readonly start: string;
      readonly end: string;
      readonly snippets: readonly SnippetRow[];
    }[];
    /** Of machines and devices; without a system_id: of MACs that nobody has registered. */
    readonly reservations: readonly {
      readonly system_id: string | null;
      readonly mac: string;
      readonly ip: string;
      readonly hostname: string | null;
      readonly snippets: readonly SnippetRow[];
    }[];
    readonly snippets: readonly SnippetRow[];
  }[];
}

/** The snippets in force of which `where` is true, in their order, as a JSON list. */
function snippetsWhere(where: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(select coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'json', p.value) order by p.id), '[]') from (
    select s.id, s.name, (select v.value from dhcp_snippet_value v where v.snippet_id = s.id order by v.id desc limit 1) as value
    from dhcp_snippet s where s.enabled and ${where}) p)`;
}

/** Snippets that are for every subnet. */
export async function readGlobalSnippets(db: CellDb): Promise<readonly SnippetRow[]> {
  const { rows } = await sql<{ snippets: SnippetRow[] }>`
    select ${snippetsWhere(sql`s.node is null and s.subnet_id is null`)} as snippets`.execute(db);
  return rows[0]?.snippets ?? [];
}

/** Everything that a DHCP configuration follows from, but global snippets: one statement. */
export async function readNetwork(db: CellDb): Promise<NetworkRow[]> {
  const { rows } = await sql<NetworkRow>`
    select v.id as vlan_id, v.dhcp_on, v.mtu, coalesce((
      select jsonb_agg(jsonb_build_object(
        'id', net.id, 'cidr', net.cidr::text, 'gateway_ip', host(net.gateway_ip),
        'dns_servers', (select coalesce(jsonb_agg(host(d)), '[]') from unnest(net.dns_servers) d),
        'ranges', (select coalesce(jsonb_agg(jsonb_build_object('type', r.type, 'start', host(r.start_ip), 'end', host(r.end_ip),
                     'snippets', ${snippetsWhere(sql`s.ip_range_id = r.id`)}) order by r.start_ip), '[]')
                   from ip_range r where r.subnet_id = net.id),
        'reservations', (select coalesce(jsonb_agg(h order by h.mac, h.ip), '[]') from (
                   select n.system_id, i.mac, host(l.ip) as ip, n.hostname, ${snippetsWhere(sql`s.node = n.system_id`)} as snippets
                   from interface_link l join interface i on i.id = l.interface_id join node n on n.system_id = i.system_id
                   where l.subnet_id = net.id and l.ip is not null and i.mac is not null
                   union all
                   select null, k.mac, host(k.ip), null, '[]'::jsonb
                   from (select subnet_id, mac, ip from reserved_ip union select subnet_id, mac, ip from ip_address where mac is not null) k
                   where k.subnet_id = net.id and not exists (
                     select from interface_link l join interface i on i.id = l.interface_id
                     where l.subnet_id = net.id and l.ip is not null and (i.mac = k.mac or l.ip = k.ip))) h),
        'snippets', ${snippetsWhere(sql`s.subnet_id = net.id and s.ip_range_id is null`)}) order by net.id)
      from subnet net where net.vlan_id = v.id and net.managed), '[]') as subnets
    from vlan v order by v.id`.execute(db);
  return rows;
}

/** The reserved IP of the interface's MAC in this subnet, unless somebody has it. */
async function addressKeptFor(tx: CellDb, interfaceId: number, subnetId: number): Promise<string | undefined> {
  const { rows } = await sql<{ ip: string }>`
    select host(r.ip) as ip from reserved_ip r join interface i on i.mac = r.mac
    where i.id = ${interfaceId} and r.subnet_id = ${subnetId} and not exists (select from interface_link l where l.ip = r.ip)`.execute(tx);
  return rows[0]?.ip;
}

/**
 * Give a machine's boot interface, or the bond or bridge with its MAC that it is part of, an address that is its own: the one reserved for its MAC, or the first of its subnet that is outside of every range, no gateway, name
 * server or link. An AUTO or DHCP link that has none gets it; else it is a new AUTO link. Once given it stays. Returns the address;
 * undefined when the interface is on no managed IPv4 subnet or the subnet is full.
 */
export async function keepAddress(tx: CellDb, systemId: string): Promise<string | undefined> {
  // One at a time for each subnet: the row lock is what keeps two machines from the same address. A subnet that the interface is linked to
  // comes before others of its VLAN.
  const { rows } = await sql<{ interface_id: number; subnet_id: number; ip: string | null }>`
    with recursive carrier as (
      select i.id, i.mac, 0 as height from machine m join interface i on i.id = m.boot_interface_id where m.system_id = ${systemId}
      union all
      select i.id, i.mac, c.height + 1 from carrier c join interface_relation r on r.parent_id = c.id
      join interface i on i.id = r.child_id and i.type in ('bond', 'bridge') and i.mac = c.mac)
    select i.id as interface_id, s.id as subnet_id,
           (select host(l.ip) from interface_link l where l.interface_id = i.id and l.subnet_id = s.id and l.ip is not null order by l.id limit 1) as ip
    from interface i join subnet s on s.vlan_id = i.vlan_id and s.managed and family(s.cidr) = 4
    where i.id = (select id from carrier order by height desc limit 1)
    order by exists (select from interface_link l where l.interface_id = i.id and l.subnet_id = s.id) desc, s.id limit 1 for update of s`.execute(
    tx,
  );
  const place = rows[0];
  if (!place) return undefined;
  if (place.ip !== null) return place.ip;
  const ip = (await addressKeptFor(tx, place.interface_id, place.subnet_id)) ?? (await freeAddress(tx, place.subnet_id));
  if (ip === undefined) return undefined;
  await sql`
    with linked as (
      update interface_link set ip = ${ip}::inet where id = (
        select id from interface_link
        where interface_id = ${place.interface_id} and subnet_id = ${place.subnet_id} and mode in ('auto', 'dhcp') and ip is null order by id limit 1)
      returning id)
    insert into interface_link (interface_id, mode, subnet_id, ip)
    select ${place.interface_id}::bigint, 'auto', ${place.subnet_id}::bigint, ${ip}::inet where not exists (select from linked)`.execute(
    tx,
  );
  return ip;
}
