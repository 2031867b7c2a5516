/** The networks of a cell as machines' bodies show them: few rows, read whole in one statement. */
import { sql, type RawBuilder } from 'kysely';
import { preparedOnce } from '../../postgres/prepared-statements.ts';
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
  /** Names of machines and devices in it, and what was made of names beside them. */
  readonly records: number;
}

export interface Networks {
  readonly vlans: ReadonlyMap<number, VlanRow>;
  readonly subnets: ReadonlyMap<number, SubnetRow>;
  readonly domains: ReadonlyMap<number, DomainRow>;
}

/** What a statement must select to read the networks: for statements that read something else, too. */
export interface NetworkColumns {
  readonly vlans: VlanRow[];
  readonly subnets: SubnetRow[];
  readonly domains: DomainRow[];
}

/** `counted`: with the numbers of machines in the domains; else they are 0. */
function networkColumns(counted: boolean): RawBuilder<NetworkColumns> {
  return sql`
    (select coalesce(json_agg(v), '[]') from (
       select v.id, v.fabric_id, f.name as fabric, v.vid, v.name, v.mtu, v.space_id, v.dhcp_on, v.enlists, v.relay_vlan_id
       from vlan v join fabric f on f.id = v.fabric_id) v) as vlans,
    (select coalesce(json_agg(s), '[]') from (
       select id, vlan_id, cidr::text, name, description, host(gateway_ip) as gateway_ip,
              array(select host(server) from unnest(dns_servers) as server) as dns_servers, rdns_mode, active_discovery,
              allow_dns, allow_proxy, managed, disabled_boot_architectures
       from subnet) s) as subnets,
    (select coalesce(json_agg(d), '[]') from (
       select d.id, d.name, d.authoritative, d.ttl, d.is_default,
              ${
                counted
                  ? sql`(select count(*) from node n where n.domain_id = d.id)
                + (select count(*) from dns_resource r join dns_record c on c.resource_id = r.id where r.domain_id = d.id)
                + (select count(*) from dns_resource r join dns_address a on a.resource_id = r.id where r.domain_id = d.id)`
                  : sql`0`
              } as records
       from domain d) d) as domains`;
}

function networksOf({ vlans, subnets, domains }: NetworkColumns): Networks {
  return { vlans: byId(vlans), subnets: byId(subnets), domains: byId(domains) };
}

async function readColumns(db: CellDb, columns: RawBuilder<NetworkColumns>): Promise<NetworkColumns> {
  const { rows } = await sql<NetworkColumns>`select ${columns} ${sql.raw(preparedOnce)}`.execute(db);
  return rows[0] ?? { vlans: [], subnets: [], domains: [] };
}

/** All VLANs, subnets and domains of the cell. */
export async function readNetworks(db: CellDb): Promise<Networks> {
  return networksOf(await readColumns(db, networkColumns(true)));
}

/** The same for machines' bodies: see {@link readBesideNetworks}. */
export async function readNetworksLately(db: CellDb): Promise<Networks> {
  const { networks } = await readBesideNetworks(db, (columns) => readColumns(db, columns));
  return networks;
}

const lately = new WeakMap<CellDb, { until: number; records: ReadonlyMap<number, number> }>();

/**
 * A row of the statement that `read` makes of these columns, and the networks in it, with the domains' numbers of records as they were at most
 * a second ago: counting all machines is three quarters of what it costs to show one (1.1 of 1.5 ms with 2,000 machines), and nothing is
 * decided from the number.
 */
export async function readBesideNetworks<Row extends NetworkColumns | undefined>(
  db: CellDb,
  read: (columns: RawBuilder<NetworkColumns>) => Promise<Row>,
): Promise<{ readonly row: Row; readonly networks: Networks }> {
  const known = lately.get(db);
  const now = performance.now();
  if (known !== undefined && now < known.until) {
    const row = await read(networkColumns(false));
    const domains = (row?.domains ?? []).map((domain) => ({ ...domain, records: known.records.get(domain.id) ?? 0 }));
    return { row, networks: networksOf({ vlans: row?.vlans ?? [], subnets: row?.subnets ?? [], domains }) };
  }
  // Who comes while these are counted gets the last ones.
  if (known !== undefined) known.until = now + 1_000;
  const row = await read(networkColumns(true));
  if (row) lately.set(db, { until: performance.now() + 1_000, records: new Map(row.domains.map((domain) => [domain.id, domain.records])) });
  return { row, networks: networksOf(row ?? { vlans: [], subnets: [], domains: [] }) };
}

function byId<Row extends { readonly id: number }>(rows: readonly Row[]): ReadonlyMap<number, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}
