/** The network as one read for DHCP and router advertisements, and the addresses that machines in DHCP mode keep. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface NetworkRow {
  readonly vlan_id: number;
  readonly dhcp_on: boolean;
  readonly mtu: number;
  readonly subnets: readonly {
    readonly id: number;
    readonly cidr: string;
    readonly gateway_ip: string | null;
    readonly dns_servers: readonly string[];
    readonly ranges: readonly { readonly type: 'dynamic' | 'reserved'; readonly start: string; readonly end: string }[];
    readonly reservations: readonly { readonly system_id: string; readonly mac: string; readonly ip: string; readonly hostname: string }[];
  }[];
}

/** Everything that a DHCP configuration follows from: one statement. */
export async function readNetwork(db: CellDb): Promise<NetworkRow[]> {
  const { rows } = await sql<NetworkRow>`
    select v.id as vlan_id, v.dhcp_on, v.mtu, coalesce((
      select jsonb_agg(jsonb_build_object(
        'id', s.id, 'cidr', s.cidr::text, 'gateway_ip', host(s.gateway_ip),
        'dns_servers', (select coalesce(jsonb_agg(host(d)), '[]') from unnest(s.dns_servers) d),
        'ranges', (select coalesce(jsonb_agg(jsonb_build_object('type', r.type, 'start', host(r.start_ip), 'end', host(r.end_ip)) order by r.start_ip), '[]')
                   from ip_range r where r.subnet_id = s.id),
        'reservations', (select coalesce(jsonb_agg(jsonb_build_object('system_id', m.system_id, 'mac', i.mac, 'ip', host(l.ip), 'hostname', m.hostname) order by i.mac), '[]')
                   from interface_link l join interface i on i.id = l.interface_id join machine m on m.system_id = i.system_id
                   where l.subnet_id = s.id and l.ip is not null and i.mac is not null)) order by s.id)
      from subnet s where s.vlan_id = v.id and s.managed), '[]') as subnets
    from vlan v order by v.id`.execute(db);
  return rows;
}

/**
 * Give a machine's boot interface an address that is its own: the lowest of its subnet that is outside of every range, no gateway, name
 * server or link. Once given it stays. Returns the address; undefined when the interface is on no managed subnet or the subnet is full.
 */
export async function keepAddress(tx: CellDb, systemId: string): Promise<string | undefined> {
  // One at a time for each subnet: the row lock is what keeps two machines from the same address.
  const { rows } = await sql<{ interface_id: number; subnet_id: number; ip: string | null }>`
    select i.id as interface_id, s.id as subnet_id,
           (select host(l.ip) from interface_link l where l.interface_id = i.id and l.subnet_id = s.id and l.ip is not null limit 1) as ip
    from machine m join interface i on i.id = m.boot_interface_id join subnet s on s.vlan_id = i.vlan_id and s.managed and family(s.cidr) = 4
    where m.system_id = ${systemId} order by s.id limit 1 for update of s`.execute(tx);
  const place = rows[0];
  if (!place) return undefined;
  if (place.ip !== null) return place.ip;
  const free = await sql<{ ip: string }>`
    with subnet_of as (select cidr, gateway_ip, dns_servers from subnet where id = ${place.subnet_id})
    select host(candidate) as ip from subnet_of,
      lateral (select set_masklen(network(cidr)::inet, 32) + n as candidate
               from generate_series(1, least(65534, (2 ^ (32 - masklen(cidr)))::int - 2)) n) c
    where candidate is distinct from gateway_ip and candidate <> all (dns_servers)
      and not exists (select from ip_range r where r.subnet_id = ${place.subnet_id} and candidate between r.start_ip and r.end_ip)
      and not exists (select from interface_link l where l.ip = candidate)
    limit 1`.execute(tx);
  const ip = free.rows[0]?.ip;
  if (ip === undefined) return undefined;
  await sql`insert into interface_link (interface_id, mode, subnet_id, ip) values (${place.interface_id}, 'auto', ${place.subnet_id}, ${ip}::inet)`.execute(tx);
  return ip;
}
