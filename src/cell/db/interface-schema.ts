/** The tables of migration 0011 as Kysely sees them. */
export interface InterfaceRelationTable {
  parent_id: number;
  child_id: number;
}

export interface DefaultGatewayTable {
  system_id: string;
  family: 4 | 6;
  link_id: number;
}

export interface InterfaceTables {
  interface_relation: InterfaceRelationTable;
  default_gateway: DefaultGatewayTable;
}
