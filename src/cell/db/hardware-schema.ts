/** The tables of what commissioning found out about hardware, as Kysely sees them (migration 0014). */
import type { ColumnType, Generated } from 'kysely';

type Filled<T> = ColumnType<T, T | undefined, T>;

export interface MachineHardwareTable {
  system_id: string;
  lshw: Buffer | null;
  lldp: Buffer | null;
  judged: Filled<boolean>;
  updated: Filled<Date>;
}

export interface NumaNodeTable {
  system_id: string;
  number: number;
  cores: number[];
  memory: number;
  hugepages: ColumnType<readonly { page_size: number; total: number }[], string | undefined, string>;
}

export interface NodeDeviceTable {
  id: Generated<number>;
  system_id: string;
  bus: 'PCIE' | 'USB';
  hardware_type: number;
  vendor_id: string;
  product_id: string;
  vendor_name: Filled<string>;
  product_name: Filled<string>;
  commissioning_driver: Filled<string>;
  bus_number: number;
  device_number: number;
  pci_address: string | null;
  numa_node: Filled<number>;
}

export interface TagJudgementTable {
  tag_id: number;
  definition: string | null;
  rebuilds: Filled<number>;
  problem: string | null;
  retry_at: Date | null;
  lease_until: Date | null;
}

export interface HardwareTables {
  machine_hardware: MachineHardwareTable;
  numa_node: NumaNodeTable;
  node_device: NodeDeviceTable;
  tag_judgement: TagJudgementTable;
}
