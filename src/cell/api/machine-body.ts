/** A machine as the API shows it, from its rows. Pure: no SQL, and the same rows give the same body. */
import { lifecycle, stateOf } from '../../contract/lifecycle.ts';
import type { Machine } from '../../contract/resources/machine.ts';
import type { Body } from '../../contract/route.ts';
import type { GlobalReader } from '../../global/document.ts';
import { defaultPool, poolBody } from '../../global/api/resource-pools.ts';
import { defaultZone, zoneBody } from '../../global/api/zones.ts';
import type { MachineRow } from '../db/machine-read.ts';
import { storageFields } from './storage-body.ts';
import { defaultGateway } from '../db/default-gateway.ts';
import { interfaceBodies } from './interface-body.ts';
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

export const unknownHardware = {
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
export function zoneOf(global: BodyFacts['global'], id: number) {
  return zoneBody(global.get('zone', id) ?? global.get('zone', defaultZone) ?? { id: defaultZone, name: 'default', description: '' });
}

function poolOf(global: BodyFacts['global'], id: number) {
  return poolBody(global.get('pool', id) ?? global.get('pool', defaultPool) ?? { id: defaultPool, name: 'default', description: '' });
}

export function domainOf(networks: NetworkBodies, id: number) {
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

/** As MAAS shows it: where no link was chosen, the router that wins, and no link. */
function gateway(row: MachineRow, networks: NetworkBodies, family: 4 | 6) {
  const nics = row.interfaces.map(({ id, parents, links }) => ({
    id,
    parents,
    links: links.map((link) => ({
      id: link.id,
      mode: link.mode,
      gateway: (link.subnet_id === null ? undefined : networks.subnets.get(link.subnet_id))?.gateway_ip ?? null,
    })),
  }));
  const found = defaultGateway(nics, row.boot_interface_id, row.gateway_links, family);
  return { gateway_ip: found?.gateway_ip ?? null, link_id: found?.chosen === true ? found.link_id : null };
}

export function machineBody(row: MachineRow, { global, networks, cellName }: BodyFacts): MachineBody {
  const state = stateOf(row.status);
  const interfaces = interfaceBodies(row.interfaces, networks);
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
    bios_boot_method: row.firmware === '' ? null : row.firmware === 'uefi' ? 'uefi' : 'pxe',
    boot_interface: interfaces.find((nic) => nic.id === row.boot_interface_id) ?? null,
    architecture: row.architecture,
    min_hwe_kernel: row.min_hwe_kernel,
    hwe_kernel: null,
    cpu_count: row.cpu_count,
    cpu_speed: row.cpu_speed,
    memory: row.memory,
    swap_size: row.swap_size,
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
    status_action: row.status_action,
    status_message: row.status_message,
    status_name: lifecycle[state].name,
    node_type: 0,
    node_type_name: 'Machine',
    ...storageFields(row),
    parent: null,
    default_gateways: { ipv4: gateway(row, networks, 4), ipv6: gateway(row, networks, 6) },
    ...scriptFields(row.scripts),
    hardware_info: { ...unknownHardware, ...row.hardware_info },
    numanode_set: row.numa_nodes.map(({ number, cores, memory, hugepages }) => ({
      index: number,
      cores: [...cores],
      memory,
      // Sizes are bytes here.
      hugepages_set: hugepages.map(({ page_size, total }) => ({ page_size: page_size * 1024, total })),
    })),
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
