/** The tables of nodes that are no machines, as Kysely sees them; the truth is in `migrations/0013-nodes.sql`. */
import type { ColumnType } from 'kysely';

type Filled<T> = ColumnType<T, T | undefined, T>;
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>;
type Stamp = ColumnType<Date, Date | undefined, Date>;

/** Everything that has a system_id. Rows of machines and devices are made, renamed and removed by their triggers. */
export interface NodeTable {
  system_id: string;
  node_type: 0 | 1 | 4;
  hostname: Optional<string>;
  domain_id: Optional<number>;
}

export interface DeviceTable {
  system_id: string;
  hostname: string;
  domain_id: number;
  description: Filled<string>;
  owner: Optional<string>;
  parent: Optional<string>;
  zone_id: Filled<number>;
  owner_data: JsonWithDefault<Record<string, string>>;
  workload_annotations: JsonWithDefault<Record<string, string>>;
  created: Stamp;
  updated: Stamp;
}

export interface ControllerTable {
  system_id: string;
  description: Filled<string>;
  zone_id: Filled<number>;
  domain_id: Optional<number>;
}

export interface NodeTables {
  node: NodeTable;
  device: DeviceTable;
  controller: ControllerTable;
}
