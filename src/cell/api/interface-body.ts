/** A network interface as the API shows it. Pure. */
import type { Interface, Link } from '../../contract/resources/interfaces.ts';
import type { Body } from '../../contract/route.ts';
import type { InterfaceRow, LinkRow } from '../db/machine-read.ts';
import { uri, type NetworkBodies } from './network-body.ts';

export type InterfaceBody = Body<typeof Interface>;
type LinkBody = Body<typeof Link>;

const types = ['physical', 'bond', 'bridge', 'vlan', 'alias'] as const;
/** Ethernet's own, where neither interface nor VLAN says more. */
const plainMtu = 1500;

function linkBody(link: LinkRow, networks: NetworkBodies): LinkBody {
  const subnet = link.subnet_id === null ? undefined : networks.subnets.get(link.subnet_id);
  return {
    id: link.id,
    mode: link.mode,
    ...(link.ip === null ? {} : { ip_address: link.ip }),
    ...(subnet === undefined ? {} : { subnet }),
  };
}

export function interfaceBody(row: InterfaceRow, networks: NetworkBodies): InterfaceBody {
  const vlan = row.vlan_id === null ? undefined : networks.vlans.get(row.vlan_id);
  return {
    system_id: row.system_id,
    id: row.id,
    name: row.name,
    type: types.find((type) => type === row.type) ?? 'unknown',
    vlan: vlan ?? null,
    mac_address: row.mac,
    parents: [],
    children: [],
    tags: [...row.tags],
    enabled: row.enabled,
    links: row.links.map((link) => linkBody(link, networks)),
    params: Object.keys(row.params).length === 0 ? '' : { ...row.params },
    discovered: null,
    effective_mtu: row.mtu ?? vlan?.mtu ?? plainMtu,
    vendor: row.vendor,
    product: row.product,
    firmware_version: row.firmware_version,
    link_connected: row.link_connected,
    interface_speed: row.interface_speed,
    link_speed: row.link_speed,
    numa_node: null,
    sriov_max_vf: 0,
    resource_uri: uri('nodes', row.system_id, 'interfaces', row.id),
  };
}
