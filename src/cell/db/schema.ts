/** The tables of a cell's database as Kysely sees them; the truth is in `migrations/`. */
import type { ColumnType, Generated } from 'kysely';
import type { BootPurpose, OperationKind, OperationOutcome } from '../../contract/operation.ts';
import type { InterfaceTables } from './interface-schema.ts';
import type { HardwareTables } from './hardware-schema.ts';
import type { NetworkTables } from './network-schema.ts';
import type { NodeTables } from './node-schema.ts';
import type { StorageTables } from './storage-schema.ts';

type Json<T> = ColumnType<T, string, string>;
type JsonWithDefault<T> = ColumnType<T, string | undefined, string>;
type Stamp = ColumnType<Date, Date | undefined, Date>;
type OptionalStamp = ColumnType<Date | null, Date | null | undefined, Date | null>;
/** bigint columns are parsed as numbers: ids are safe integers. */
type Optional<T> = ColumnType<T | null, T | null | undefined, T | null>;
type Filled<T> = ColumnType<T, T | undefined, T>;

export interface CellIdentityTable {
  one: Generated<boolean>;
  number: number;
  name: string;
  key_fingerprint: string;
}

export interface DomainTable {
  id: Generated<number>;
  name: string;
  authoritative: Filled<boolean>;
  ttl: Optional<number>;
  is_default: Filled<boolean>;
  forward_dns_servers: Filled<string[]>;
}

export interface FabricTable {
  id: Generated<number>;
  name: string;
  class_type: Optional<string>;
  description: Filled<string>;
}

export interface VlanTable {
  id: Generated<number>;
  fabric_id: number;
  vid: number;
  name: string;
  description: Filled<string>;
  mtu: Filled<number>;
  space_id: Optional<number>;
  dhcp_on: Filled<boolean>;
  enlists: Filled<boolean>;
  relay_vlan_id: Optional<number>;
}

export interface SubnetTable {
  id: Generated<number>;
  vlan_id: number;
  cidr: string;
  name: string;
  description: Filled<string>;
  gateway_ip: Optional<string>;
  dns_servers: Filled<string[]>;
  rdns_mode: Filled<number>;
  active_discovery: Filled<boolean>;
  allow_dns: Filled<boolean>;
  allow_proxy: Filled<boolean>;
  managed: Filled<boolean>;
  disabled_boot_architectures: Filled<string[]>;
}

export interface IpRangeTable {
  id: Generated<number>;
  subnet_id: number;
  type: 'dynamic' | 'reserved';
  start_ip: string;
  end_ip: string;
  comment: Filled<string>;
  owner: Optional<string>;
}

export interface BmcTable {
  id: Generated<number>;
  driver: string;
  address: string;
  sealed: Buffer;
  lease_until: OptionalStamp;
  fence: Filled<number>;
  health: JsonWithDefault<Record<string, number>>;
}

export type PowerState = 'on' | 'off' | 'unknown' | 'error';

export interface MachineTable {
  system_id: string;
  hostname: string;
  domain_id: number;
  description: Filled<string>;
  architecture: Filled<string>;
  min_hwe_kernel: Filled<string>;
  cpu_count: Filled<number>;
  cpu_speed: Filled<number>;
  memory: Filled<number>;
  status: Filled<number>;
  previous_status: Filled<number>;
  status_since: Stamp;
  status_action: Filled<string>;
  status_message: Filled<string>;
  error_description: Filled<string>;
  generation: Filled<number>;
  locked: Filled<boolean>;
  owner: Optional<string>;
  agent_name: Filled<string>;
  allocated_at: OptionalStamp;
  claim_id: Optional<string>;
  confirm_by: OptionalStamp;
  zone_id: Filled<number>;
  pool_id: Filled<number>;
  bmc_id: Optional<number>;
  power_type: Filled<string>;
  power_node: JsonWithDefault<Record<string, string>>;
  power_state: Filled<PowerState>;
  power_state_at: OptionalStamp;
  power_evidence: Filled<string>;
  hardware_uuid: Optional<string>;
  serial: Optional<string>;
  firmware: Filled<'' | 'bios' | 'uefi'>;
  hardware_info: JsonWithDefault<Record<string, string>>;
  boot_interface_id: Optional<number>;
  boot_disk_id: Optional<number>;
  osystem: Filled<string>;
  distro_series: Filled<string>;
  image: ColumnType<DeployedImage | null, string | null | undefined, string | null>;
  ephemeral: Filled<boolean>;
  owner_data: JsonWithDefault<Record<string, string>>;
  workload_annotations: JsonWithDefault<Record<string, string>>;
  user_data: Optional<Buffer>;
  moved_to: Optional<string>;
  failures: Filled<number>;
  swap_size: Optional<number>;
  storage_layout: Optional<string>;
  own_filesystems: Filled<boolean>;
  created: Stamp;
  updated: Stamp;
}

/** The image that a machine is deployed with: pinned when the deployment starts. */
export interface DeployedImage {
  readonly name: string;
  readonly architecture: string;
  readonly sha256: string;
  readonly size: number;
  readonly cloud_init: boolean;
}

export interface MachineTagTable {
  system_id: string;
  tag_id: number;
}

export interface InterfaceTable {
  id: Generated<number>;
  system_id: string;
  name: string;
  type: Filled<string>;
  mac: Optional<string>;
  vlan_id: Optional<number>;
  enabled: Filled<boolean>;
  link_connected: Filled<boolean>;
  interface_speed: Filled<number>;
  link_speed: Filled<number>;
  vendor: Optional<string>;
  product: Optional<string>;
  firmware_version: Optional<string>;
  tags: Filled<string[]>;
  params: JsonWithDefault<Record<string, unknown>>;
  mtu: Optional<number>;
  acquired: Filled<boolean>;
  numa_node: Optional<number>;
  sriov_max_vf: Filled<number>;
}

export interface InterfaceLinkTable {
  id: Generated<number>;
  interface_id: number;
  mode: 'auto' | 'dhcp' | 'static' | 'link_up';
  subnet_id: Optional<number>;
  ip: Optional<string>;
  created: Stamp;
}

export interface BlockDeviceTable {
  id: Generated<number>;
  system_id: string;
  name: string;
  model: Optional<string>;
  serial: Optional<string>;
  wwn: Optional<string>;
  id_path: Optional<string>;
  size: number;
  block_size: Filled<number>;
  rotational: Filled<boolean>;
  firmware_version: Optional<string>;
  tags: Filled<string[]>;
  type: Filled<'physical' | 'virtual'>;
  uuid: Optional<string>;
  group_id: Optional<number>;
  partition_table_type: Optional<'GPT' | 'MBR'>;
  account_signatures: Optional<string[]>;
  account_marker: Optional<string>;
  account_at: OptionalStamp;
}

export interface OperationTable {
  id: Generated<number>;
  system_id: string;
  kind: OperationKind;
  plan_version: number;
  outcome: Filled<OperationOutcome>;
  step: Filled<string>;
  note: Filled<string>;
  error: Filled<string>;
  parameters: JsonWithDefault<Record<string, unknown>>;
  memory: JsonWithDefault<Record<string, unknown>>;
  requested_by: string;
  bulk: Optional<string>;
  idempotency_key: Optional<string>;
  abort_asked: Filled<boolean>;
  waits_for_hands: Filled<boolean>;
  attempt: Filled<number>;
  due_at: Stamp;
  nudges: Filled<number>;
  lease_until: OptionalStamp;
  lease_owner: Optional<string>;
  fence: Filled<number>;
  deadline: Date;
  started: Stamp;
  ended: OptionalStamp;
}

export interface OperationStepTable {
  id: Generated<number>;
  operation_id: number;
  step: string;
  started: Stamp;
  detail: Filled<string>;
}

export interface TicketTable {
  nonce: string;
  system_id: string;
  operation_id: number;
  purpose: BootPurpose;
  issued: Stamp;
  expires: Date;
  boots_allowed: number;
  boots: Filled<number>;
  boot_id: Optional<string>;
  checked_in: OptionalStamp;
  claimed: OptionalStamp;
  plan: ColumnType<unknown, string | null | undefined, string | null>;
  heartbeat: OptionalStamp;
  progress: Filled<string>;
  spent: OptionalStamp;
  outcome: Optional<'done' | 'failed'>;
  detail: Filled<string>;
  voided: OptionalStamp;
  void_reason: Optional<string>;
}

export interface BootTable {
  boot_id: string;
  system_id: string;
  nonce: Optional<string>;
  purpose: string;
  address: string;
  started: Stamp;
}

export interface CredentialTable {
  token_key: string;
  consumer_key: string;
  secret_hash: Buffer;
  system_id: string;
  kind: 'boot' | 'system';
  boot_id: Optional<string>;
  nonce: Optional<string>;
  address: Optional<string>;
  created: Stamp;
  revoked: OptionalStamp;
  user_data_seen: OptionalStamp;
}

export type PowerVerbState = 'live' | 'hands' | 'done' | 'failed' | 'closed';

export interface PowerVerbTable {
  id: Generated<number>;
  bmc_id: Optional<number>;
  system_id: string;
  operation_id: Optional<number>;
  nonce: Optional<string>;
  verb: 'on' | 'off' | 'cycle';
  state: Filled<PowerVerbState>;
  requested_by: string;
  next_boot: Optional<'network' | 'disk'>;
  next_boot_ordered: Filled<boolean>;
  next_boot_failures: Filled<number>;
  soft: Filled<boolean>;
  not_before: OptionalStamp;
  intended: Stamp;
  sends: Filled<number>;
  first_sent: OptionalStamp;
  sent: OptionalStamp;
  sent_call: Optional<'on' | 'off' | 'cycle'>;
  sent_outcome: Optional<'open' | 'accepted' | 'unknown' | 'not-done'>;
  sent_failure: Optional<string>;
  ended: OptionalStamp;
  due_at: Stamp;
  lease_until: OptionalStamp;
  fence: Filled<number>;
  evidence: Filled<string>;
  error: Filled<string>;
}

export interface ScriptResultTable {
  id: Generated<number>;
  system_id: string;
  operation_id: Optional<number>;
  name: string;
  type: number;
  status: Filled<number>;
  exit_status: Optional<number>;
  output: Filled<Buffer>;
  stdout: Filled<Buffer>;
  stderr: Filled<Buffer>;
  result: Filled<Buffer>;
  created: Stamp;
  started: OptionalStamp;
  ended: OptionalStamp;
  runtime: Optional<string>;
  suppressed: Filled<boolean>;
}

export interface FindingTable {
  id: Generated<number>;
  kind: string;
  subject: string;
  system_id: Optional<string>;
  text: string;
  data: JsonWithDefault<Record<string, unknown>>;
  count: Filled<number>;
  first_seen: Stamp;
  last_seen: Stamp;
  resolved: OptionalStamp;
  resolved_by: Optional<string>;
}

export interface IdempotencyTable {
  username: string;
  key: string;
  request: string;
  status: Optional<number>;
  reply: Json<unknown>;
  created: Stamp;
}

export interface ClaimTable {
  id: string;
  owner: string;
  state: 'held' | 'kept' | 'over';
  system_id: Optional<string>;
  matched: ColumnType<unknown, string | null | undefined, string | null>;
  since: Stamp;
  delivered: OptionalStamp;
}

export interface CellTables extends HardwareTables, InterfaceTables, NodeTables, StorageTables, NetworkTables {
  cell_identity: CellIdentityTable;
  domain: DomainTable;
  fabric: FabricTable;
  vlan: VlanTable;
  subnet: SubnetTable;
  ip_range: IpRangeTable;
  bmc: BmcTable;
  machine: MachineTable;
  machine_tag: MachineTagTable;
  interface: InterfaceTable;
  interface_link: InterfaceLinkTable;
  block_device: BlockDeviceTable;
  operation: OperationTable;
  operation_step: OperationStepTable;
  ticket: TicketTable;
  boot: BootTable;
  credential: CredentialTable;
  power_verb: PowerVerbTable;
  script_result: ScriptResultTable;
  finding: FindingTable;
  idempotency: IdempotencyTable;
  claim: ClaimTable;
}
