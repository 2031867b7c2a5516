/** The network as one read for DHCP and router advertisements, and the addresses that machines in DHCP mode keep. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { freeAddress } from './subnet-store.ts';

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
 * Give a machine's boot interface an address that is its own: the first of its subnet that is outside of every range, no gateway, name
 * server or link. An AUTO or DHCP link that has none gets it; else it is a new AUTO link. Once given it stays. Returns the address;
 * undefined when the interface is on no managed IPv4 subnet or the subnet is full.
 */
export async function keepAddress(tx: CellDb, systemId: string): Promise<string | undefined> {
  // One at a time for each subnet: the row lock is what keeps two machines from the same address. A subnet that the interface is linked to
  // comes before others of its VLAN.
  const { rows } = await sql<{ interface_id: number; subnet_id: number; ip: string | null }>`
    select i.id as interface_id, s.id as subnet_id,
           (select host(l.ip) from interface_link l where l.interface_id = i.id and l.subnet_id = s.id and l.ip is not null order by l.id limit 1) as ip
    from machine m join interface i on i.id = m.boot_interface_id join subnet s on s.vlan_id = i.vlan_id and s.managed and family(s.cidr) = 4
    where m.system_id = ${systemId}
    order by exists (select from interface_link l where l.interface_id = i.id and l.subnet_id = s.id) desc, s.id limit 1 for update of s`.execute(
    tx,
  );
  const place = rows[0];
  if (!place) return undefined;
  if (place.ip !== null) return place.ip;
  const ip = await freeAddress(tx, place.subnet_id);
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
