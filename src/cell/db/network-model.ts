/** The network of one machine as its installed system is to have it: one statement. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface ModelRoute {
  readonly to: string;
  readonly via: string;
  readonly metric: number;
}

export interface ModelLink {
  readonly id: number;
  readonly mode: 'auto' | 'dhcp' | 'static' | 'link_up';
  readonly ip: string | null;
  /** Of the subnet; null for a link without one. */
  readonly cidr: string | null;
  readonly gateway: string | null;
  readonly dns_servers: readonly string[];
  readonly routes: readonly ModelRoute[];
}

export interface ModelInterface {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly mac: string | null;
  readonly enabled: boolean;
  readonly link_connected: boolean;
  readonly vlan_id: number | null;
  readonly vid: number | null;
  readonly dhcp_on: boolean;
  /** Its own MTU in bytes, and that of its VLAN. */
  readonly mtu: number | null;
  readonly vlan_mtu: number | null;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parents: readonly number[];
  readonly links: readonly ModelLink[];
}

export interface NetworkModel {
  readonly boot_interface_id: number | null;
  /** The domain that names are looked up in. */
  readonly domain: string;
  /** The links that the default routes were told to go by. */
  readonly gateway_links: readonly number[];
  readonly interfaces: readonly ModelInterface[];
}

/** Undefined when there is no such machine. */
export async function readNetworkModel(db: CellDb, systemId: string): Promise<NetworkModel | undefined> {
  const { rows } = await sql<NetworkModel>`
    select m.boot_interface_id, d.name as domain, array(select link_id from default_gateway g where g.system_id = m.system_id) as gateway_links,
           (select coalesce(json_agg(n order by n.id), '[]') from (
              select i.id, i.name, i.type, i.mac, i.enabled, i.link_connected, i.vlan_id, v.vid, coalesce(v.dhcp_on, false) as dhcp_on, i.mtu,
                     v.mtu as vlan_mtu, i.params,
                     array(select parent_id from interface_relation r where r.child_id = i.id order by parent_id) as parents,
                     (select coalesce(json_agg(l order by l.id), '[]') from (
                        select l.id, l.mode, host(l.ip) as ip, s.cidr::text as cidr, host(s.gateway_ip) as gateway,
                               array(select host(server) from unnest(s.dns_servers) as server) as dns_servers,
                               (select coalesce(json_agg(json_build_object('to', t.cidr::text, 'via', host(r.gateway_ip), 'metric', r.metric) order by r.id), '[]')
                                from static_route r join subnet t on t.id = r.destination_id where r.source_id = s.id) as routes
                        from interface_link l left join subnet s on s.id = l.subnet_id where l.interface_id = i.id) l) as links
              from interface i left join vlan v on v.id = i.vlan_id where i.system_id = m.system_id) n) as interfaces
    from machine m join domain d on d.id = m.domain_id where m.system_id = ${systemId}`.execute(db);
  return rows[0];
}
