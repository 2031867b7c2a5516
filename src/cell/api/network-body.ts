/** VLANs, subnets and domains as the API shows them. Pure. */
import { cellOf } from '../../contract/ids.ts';
import type { Domain } from '../../contract/resources/domains.ts';
import type { Subnet } from '../../contract/resources/subnets.ts';
import type { Vlan } from '../../contract/resources/vlans.ts';
import type { Body } from '../../contract/route.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { DomainRow, Networks, SubnetRow, VlanRow } from '../db/network-read.ts';
import { rackId } from './rack-id.ts';

export type VlanBody = Body<typeof Vlan>;
export type SubnetBody = Body<typeof Subnet>;
export type DomainBody = Body<typeof Domain>;

/** `/MAAS/api/2.0/<path>/`, each part encoded. */
export function uri(...parts: readonly (string | number)[]): string {
  return `/MAAS/api/2.0/${parts.map((part) => encodeURIComponent(part)).join('/')}/`;
}

/** `undefined` is MAAS's name for being in no space. */
function spaceName(global: Pick<GlobalReader, 'get'>, id: number | null): string {
  return (id === null ? undefined : global.get('space', id)?.name) ?? 'undefined';
}

export function vlanBody(vlan: VlanRow, global: Pick<GlobalReader, 'get'>): VlanBody {
  return {
    id: vlan.id,
    name: vlan.name,
    vid: vlan.vid,
    fabric: vlan.fabric,
    fabric_id: vlan.fabric_id,
    mtu: vlan.mtu,
    // The cell is the one rack of its networks, while it serves DHCP there.
    primary_rack: vlan.dhcp_on ? rackId(cellOf(vlan.id) ?? 0) : null,
    secondary_rack: null,
    dhcp_on: vlan.dhcp_on,
    external_dhcp: null,
    relay_vlan: vlan.relay_vlan_id,
    space: spaceName(global, vlan.space_id),
    enlists: vlan.enlists,
    resource_uri: uri('vlans', vlan.id),
  };
}

export function subnetBody(subnet: SubnetRow, vlan: VlanBody): SubnetBody {
  return {
    id: subnet.id,
    name: subnet.name,
    description: subnet.description,
    vlan,
    space: vlan.space,
    cidr: subnet.cidr,
    gateway_ip: subnet.gateway_ip,
    dns_servers: [...subnet.dns_servers],
    rdns_mode: subnet.rdns_mode,
    active_discovery: subnet.active_discovery,
    allow_dns: subnet.allow_dns,
    allow_proxy: subnet.allow_proxy,
    managed: subnet.managed,
    disabled_boot_architectures: [...subnet.disabled_boot_architectures],
    resource_uri: uri('subnets', subnet.id),
  };
}

export function domainBody(domain: DomainRow): DomainBody {
  return {
    id: domain.id,
    name: domain.name,
    authoritative: domain.authoritative,
    ttl: domain.ttl,
    is_default: domain.is_default,
    resource_record_count: domain.records,
    resource_uri: uri('domains', domain.id),
  };
}

/** Bodies of all networks of a cell, each made once: a page of machines refers to the same few. */
export interface NetworkBodies {
  readonly vlans: ReadonlyMap<number, VlanBody>;
  readonly subnets: ReadonlyMap<number, SubnetBody>;
  readonly domains: ReadonlyMap<number, DomainBody>;
}

export function networkBodies(networks: Networks, global: Pick<GlobalReader, 'get'>): NetworkBodies {
  const vlans = new Map([...networks.vlans].map(([id, row]) => [id, vlanBody(row, global)]));
  const subnets = new Map<number, SubnetBody>();
  for (const [id, row] of networks.subnets) {
    const vlan = vlans.get(row.vlan_id);
    if (vlan) subnets.set(id, subnetBody(row, vlan));
  }
  return { vlans, subnets, domains: new Map([...networks.domains].map(([id, row]) => [id, domainBody(row)])) };
}
