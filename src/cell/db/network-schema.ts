/** Tables of what is kept about networks beside subnets and ranges (migration 0012). */
import type { ColumnType, Generated } from 'kysely';

type Stamp = ColumnType<Date, Date | undefined, Date>;
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;
type Filled<T> = ColumnType<T, T | undefined, T>;

export interface IpAddressTable {
  id: Generated<number>;
  subnet_id: number;
  ip: string;
  owner: string;
  mac: Optional<string>;
  created: Stamp;
}

export interface ReservedIpTable {
  id: Generated<number>;
  subnet_id: number;
  ip: string;
  mac: string;
  comment: Filled<string>;
  created: Stamp;
}

export interface StaticRouteTable {
  id: Generated<number>;
  source_id: number;
  destination_id: number;
  gateway_ip: string;
  metric: Filled<number>;
}

export interface DhcpSnippetTable {
  id: Generated<number>;
  name: string;
  description: Filled<string>;
  enabled: Filled<boolean>;
  node: Optional<string>;
  subnet_id: Optional<number>;
  ip_range_id: Optional<number>;
  created: Stamp;
}

export interface DhcpSnippetValueTable {
  id: Generated<number>;
  snippet_id: number;
  value: string;
  created: Stamp;
}

export interface ZoneSerialTable {
  one: Generated<boolean>;
  serial: number;
}

export interface DnsResourceTable {
  id: Generated<number>;
  domain_id: number;
  name: string;
  address_ttl: Optional<number>;
}

export interface DnsAddressTable {
  resource_id: number;
  ip: string;
  created: Stamp;
}

export interface DnsRecordTable {
  id: Generated<number>;
  resource_id: number;
  rrtype: string;
  rrdata: string;
  ttl: Optional<number>;
}

export interface NeighbourTable {
  id: Generated<number>;
  ip: string;
  mac: string;
  interface: string;
  observer: string;
  hostname: Filled<string>;
  first_seen: Stamp;
  last_seen: Stamp;
}

export interface NetworkTables {
  ip_address: IpAddressTable;
  reserved_ip: ReservedIpTable;
  static_route: StaticRouteTable;
  dhcp_snippet: DhcpSnippetTable;
  dhcp_snippet_value: DhcpSnippetValueTable;
  zone_serial: ZoneSerialTable;
  dns_resource: DnsResourceTable;
  dns_address: DnsAddressTable;
  dns_record: DnsRecordTable;
  neighbour: NeighbourTable;
}
