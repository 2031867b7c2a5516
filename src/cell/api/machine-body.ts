/** A machine as the API shows it, from its rows. Pure: no SQL, and the same rows give the same body. */
import { lifecycle, stateOf } from '../../contract/lifecycle.ts';
import type { Machine } from '../../contract/resources/machine.ts';
import type { Body } from '../../contract/route.ts';
import type { GlobalReader } from '../../global/document.ts';
import { defaultPool, poolBody } from '../../global/api/resource-pools.ts';
import { defaultZone, zoneBody } from '../../global/api/zones.ts';
import type { MachineRow } from '../db/machine-read.ts';
import { blockDeviceBody } from './block-device-body.ts';
import { interfaceBody, type InterfaceBody } from './interface-body.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import { instant, operationSummary } from './operation-body.ts';
import { scriptFields } from './script-status.ts';

export type MachineBody = Body<typeof Machine>;

/** What all machines of a page have in common. */
export interface BodyFacts {
  readonly global: Pick<GlobalReader, 'get'>;
  readonly networks: NetworkBodies;
  readonly cellName: string;
}

const unknownHardware = {
  system_vendor: 'Unknown',
  system_product: 'Unknown',
  system_version: 'Unknown',
  system_serial: 'Unknown',
  cpu_model: 'Unknown',
  mainboard_vendor: 'Unknown',
  mainboard_product: 'Unknown',
  mainboard_firmware_version: 'Unknown',
  mainboard_firmware_date: 'Unknown',
};

/** A reference to a zone or pool that is not there any more is shown as the default one; a finding tells of it. */
function zoneOf(global: BodyFacts['global'], id: number) {
  return zoneBody(global.get('zone', id) ?? global.get('zone', defaultZone) ?? { id: defaultZone, name: 'default', description: '' });
}

function poolOf(global: BodyFacts['global'], id: number) {
  return poolBody(global.get('pool', id) ?? global.get('pool', defaultPool) ?? { id: defaultPool, name: 'default', description: '' });
}

function domainOf(networks: NetworkBodies, id: number) {
  const domain = networks.domains.get(id);
  return (
    domain ?? {
      id,
      name: '',
      authoritative: true,
      ttl: null,
      is_default: false,
      resource_record_count: 0,
      resource_uri: uri('domains', id),
    }
  );
}

/** The router of the first link that has one, the boot interface's links first. */
function gateway(interfaces: readonly InterfaceBody[], bootId: number | null, family: 4 | 6) {
  const ordered = [...interfaces].sort((a, b) => Number(b.id === bootId) - Number(a.id === bootId) || a.id - b.id);
  for (const link of ordered.flatMap((nic) => nic.links)) {
    const address = link.mode === 'link_up' ? null : (link.subnet?.gateway_ip ?? null);
    if (address !== null && address.includes(':') === (family === 6)) return { gateway_ip: address, link_id: link.id };
  }
  return { gateway_ip: null, link_id: null };
}

export function machineBody(row: MachineRow, { global, networks, cellName }: BodyFacts): MachineBody {
  const state = stateOf(row.status);
  const interfaces = row.interfaces.map((nic) => interfaceBody(nic, networks));
  const isDeployed = row.osystem !== '';
  const disks = row.disks.map((disk) => blockDeviceBody(disk, isDeployed && disk.id === row.boot_disk_id));
  const domain = domainOf(networks, row.domain_id);
  return {
    system_id: row.system_id,
    hostname: row.hostname,
    description: row.description,
    hardware_uuid: row.hardware_uuid,
    domain,
    fqdn: domain.name === '' ? row.hostname : `${row.hostname}.${domain.name}`,
    owner: row.owner,
    owner_data: { ...row.owner_data },
    locked: row.locked,
    cache_sets: [],
    bcaches: [],
    bios_boot_method: row.firmware === '' ? null : row.firmware === 'uefi' ? 'uefi' : 'pxe',
    boot_interface: interfaces.find((nic) => nic.id === row.boot_interface_id) ?? null,
    architecture: row.architecture,
    min_hwe_kernel: row.min_hwe_kernel,
    hwe_kernel: null,
    cpu_count: row.cpu_count,
    cpu_speed: row.cpu_speed,
    memory: row.memory,
    swap_size: row.swap_size,
    storage: disks.reduce((sum, disk) => sum + disk.size, 0) / 1e6,
    status: row.status,
    osystem: row.osystem,
    distro_series: row.distro_series,
    ephemeral_deploy: row.ephemeral,
    error_description: row.error_description,
    netboot: row.netboot,
    power_type: row.power_type,
    power_state: row.power_state,
    tag_names: row.tag_ids.flatMap((id) => global.get('tag', id)?.name ?? []).toSorted(),
    address_ttl: null,
    ip_addresses: [...new Set(interfaces.flatMap((nic) => nic.links.flatMap((link) => link.ip_address ?? [])))],
    interface_set: interfaces,
    zone: zoneOf(global, row.zone_id),
    pool: poolOf(global, row.pool_id),
    disable_ipv4: false,
    constraints_by_type: {},
    boot_disk: disks.find((disk) => disk.id === row.boot_disk_id) ?? null,
    blockdevice_set: disks,
    physicalblockdevice_set: disks,
    virtualblockdevice_set: [],
    volume_groups: [],
    raids: [],
    status_action: row.status_action,
    status_message: row.status_message,
    status_name: lifecycle[state].name,
    node_type: 0,
    node_type_name: 'Machine',
    special_filesystems: [],
    parent: null,
    default_gateways: { ipv4: gateway(interfaces, row.boot_interface_id, 4), ipv6: gateway(interfaces, row.boot_interface_id, 6) },
    ...scriptFields(row.scripts),
    hardware_info: { ...unknownHardware, ...row.hardware_info },
    numanode_set: [],
    workload_annotations: { ...row.workload_annotations },
    last_sync: null,
    sync_interval: null,
    next_sync: null,
    enable_hw_sync: false,
    enable_kernel_crash_dump: false,
    is_dpu: false,
    resource_uri: uri('machines', row.system_id),
    operation: row.operation === null ? null : operationSummary(row.operation),
    status_since: instant(row.status_since),
    power_state_at: row.power_state_at === null ? null : instant(row.power_state_at),
    power_evidence: row.power_evidence,
    cell: cellName,
  };
}
