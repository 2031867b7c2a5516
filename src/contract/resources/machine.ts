/**
 * What a machine looks like on the wire: MAAS's fields to the type, because gomaasapi refuses a whole list for one wrong null.
 *
 * Five fields are ours: `operation` (what is being done to it now), `status_since`, `power_state_at` (the age of the power state),
 * `power_evidence` (where it was learnt) and `cell` (whose machine it is). Clients of MAAS ignore fields they do not know.
 */
import { Type } from 'typebox';
import { BlockDevice } from './block-devices.ts';
import { Domain } from './domains.ts';
import { Dictionary, Id, Instant, nullable, oneOf } from './field.ts';
import { Interface } from './interfaces.ts';
import { OperationSummary } from './operations.ts';
import { ResourcePool } from './resource-pools.ts';
import { Zone } from './zones.ts';

export const PowerState = oneOf('on', 'off', 'unknown', 'error');

const Gateway = Type.Object({ gateway_ip: nullable(Type.String()), link_id: nullable(Id) });

/** Bcaches, volume groups and RAIDs show only that they are there; their own resources say more. */
const Stub = Type.Object({ system_id: Type.String(), id: Id, __incomplete__: Type.Boolean() });

/** Which of its disks and interfaces answer which label of an allocation; `{}` in every other reply. */
const ConstraintsByType = Type.Object({
  storage: Type.Optional(Type.Record(Type.String(), Type.Array(Type.Union([Id, Type.String()])))),
  interfaces: Type.Optional(Type.Record(Type.String(), Type.Array(Id))),
  /** With verbose=true: system_id → device → label, and label → system_id → interfaces. */
  verbose_storage: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Type.String()))),
  verbose_interfaces: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Type.Array(Id)))),
});

export const Machine = Type.Object({
  system_id: Type.String(),
  hostname: Type.String(),
  description: Type.String(),
  hardware_uuid: nullable(Type.String()),
  domain: Domain,
  fqdn: Type.String(),
  owner: nullable(Type.String()),
  owner_data: Dictionary,
  locked: Type.Boolean(),
  cache_sets: Type.Array(Stub),
  bcaches: Type.Array(Stub),
  /** `pxe` or `uefi`; null before it was commissioned. */
  bios_boot_method: nullable(Type.String()),
  boot_interface: nullable(Interface),
  architecture: nullable(Type.String()),
  min_hwe_kernel: Type.String(),
  hwe_kernel: nullable(Type.String()),
  cpu_count: Type.Integer(),
  /** MHz. */
  cpu_speed: Type.Integer(),
  /** MiB. */
  memory: Type.Integer(),
  /** Bytes. */
  swap_size: nullable(Type.Integer()),
  /** Megabytes (10⁶) of its physical disks together. */
  storage: Type.Number(),
  /** MAAS's number of its state (contract/lifecycle.ts). */
  status: Type.Integer({ minimum: 0, maximum: 22 }),
  osystem: Type.String(),
  distro_series: Type.String(),
  ephemeral_deploy: Type.Boolean(),
  error_description: Type.String(),
  /** Derived: true while it holds a live ticket. */
  netboot: Type.Boolean(),
  power_type: Type.String(),
  power_state: PowerState,
  tag_names: Type.Array(Type.String()),
  address_ttl: nullable(Type.Integer()),
  ip_addresses: Type.Array(Type.String()),
  interface_set: Type.Array(Interface),
  zone: Zone,
  pool: ResourcePool,
  disable_ipv4: Type.Boolean(),
  constraints_by_type: ConstraintsByType,
  boot_disk: nullable(BlockDevice),
  blockdevice_set: Type.Array(BlockDevice),
  physicalblockdevice_set: Type.Array(BlockDevice),
  virtualblockdevice_set: Type.Array(BlockDevice),
  volume_groups: Type.Array(Stub),
  raids: Type.Array(Stub),
  status_action: nullable(Type.String()),
  status_message: nullable(Type.String()),
  status_name: Type.String(),
  node_type: Type.Literal(0),
  node_type_name: Type.Literal('Machine'),
  special_filesystems: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  parent: Type.Null(),
  default_gateways: Type.Object({ ipv4: Gateway, ipv6: Gateway }),
  current_commissioning_result_id: nullable(Id),
  current_testing_result_id: nullable(Id),
  current_installation_result_id: nullable(Id),
  // Numbers of script states (scriptStatuses in scripts.ts); -1 and `Unknown` when nothing has run.
  commissioning_status: Type.Integer(),
  commissioning_status_name: Type.String(),
  testing_status: Type.Integer(),
  testing_status_name: Type.String(),
  cpu_test_status: Type.Integer(),
  cpu_test_status_name: Type.String(),
  memory_test_status: Type.Integer(),
  memory_test_status_name: Type.String(),
  network_test_status: Type.Integer(),
  network_test_status_name: Type.String(),
  storage_test_status: Type.Integer(),
  storage_test_status_name: Type.String(),
  interface_test_status: Type.Integer(),
  interface_test_status_name: Type.String(),
  other_test_status: Type.Integer(),
  other_test_status_name: Type.String(),
  /** What SMBIOS says, `Unknown` where it says nothing. */
  hardware_info: Dictionary,
  numanode_set: Type.Array(
    Type.Object({
      index: Type.Integer(),
      cores: Type.Array(Type.Integer()),
      memory: Type.Integer(),
      hugepages_set: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
  workload_annotations: Dictionary,
  last_sync: nullable(Type.String()),
  sync_interval: nullable(Type.Integer()),
  next_sync: nullable(Type.String()),
  enable_hw_sync: Type.Boolean(),
  enable_kernel_crash_dump: Type.Boolean(),
  is_dpu: Type.Boolean(),
  resource_uri: Type.String(),

  operation: nullable(OperationSummary),
  status_since: Instant,
  power_state_at: nullable(Instant),
  power_evidence: Type.String(),
  cell: Type.String(),
});
