/** The networks of a cell as machines' bodies show them: few rows, read whole in one statement. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface VlanRow {
  readonly id: number;
  readonly fabric_id: number;
  readonly fabric: string;
  readonly vid: number;
  readonly name: string;
  readonly mtu: number;
  readonly space_id: number | null;
  readonly dhcp_on: boolean;
  readonly enlists: boolean;
  readonly relay_vlan_id: number | null;
}

export interface SubnetRow {
  readonly id: number;
  readonly vlan_id: number;
  readonly cidr: string;
  readonly name: string;
  readonly description: string;
  readonly gateway_ip: string | null;
  readonly dns_servers: readonly string[];
  readonly rdns_mode: number;
  readonly active_discovery: boolean;
  readonly allow_dns: boolean;
  readonly allow_proxy: boolean;
  readonly managed: boolean;
  readonly disabled_boot_architectures: readonly string[];
}

export interface DomainRow {
  readonly id: number;
  readonly name: string;
  readonly authoritative: boolean;
  readonly ttl: number | null;
  readonly is_default: boolean;
  /** Machines in it. */
  readonly records: number;
}

export interface Networks {
  readonly vlans: ReadonlyMap<number, VlanRow>;
  readonly subnets: ReadonlyMap<number, SubnetRow>;
  readonly domains: ReadonlyMap<number, DomainRow>;
}

/** All VLANs, subnets and domains of the cell. */
export async function readNetworks(db: CellDb): Promise<Networks> {
  const { rows } = await sql<{ vlans: VlanRow[]; subnets: SubnetRow[]; domains: DomainRow[] }>`
    select (select coalesce(json_agg(v), '[]') from (
              select v.id, v.fabric_id, f.name as fabric, v.vid, v.name, v.mtu, v.space_id, v.dhcp_on, v.enlists, v.relay_vlan_id
              from vlan v join fabric f on f.id = v.fabric_id) v) as vlans,
           (select coalesce(json_agg(s), '[]') from (
              select id, vlan_id, cidr::text, name, description, host(gateway_ip) as gateway_ip,
                     array(select host(server) from unnest(dns_servers) as server) as dns_servers, rdns_mode, active_discovery,
                     allow_dns, allow_proxy, managed, disabled_boot_architectures
              from subnet) s) as subnets,
           (select coalesce(json_agg(d), '[]') from (
              select d.id, d.name, d.authoritative, d.ttl, d.is_default,
                     (select count(*) from machine m where m.domain_id = d.id) as records
              from domain d) d) as domains`.execute(db);
  const [row] = rows;
  return { vlans: byId(row?.vlans ?? []), subnets: byId(row?.subnets ?? []), domains: byId(row?.domains ?? []) };
}

function byId<Row extends { readonly id: number }>(rows: readonly Row[]): ReadonlyMap<number, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}
