/** Network interfaces as the API shows them. Pure. */
import type { Interface, Link } from '../../contract/resources/interfaces.ts';
import type { Body } from '../../contract/route.ts';
import { effectiveMtu } from '../db/interface-rules.ts';
import type { InterfaceRow, LinkRow } from '../db/machine-read.ts';
import { uri, type NetworkBodies } from './network-body.ts';

export type InterfaceBody = Body<typeof Interface>;
type LinkBody = Body<typeof Link>;

const types = ['physical', 'bond', 'bridge', 'vlan', 'alias'] as const;

function linkBody(link: LinkRow, networks: NetworkBodies): LinkBody {
  const subnet = link.subnet_id === null ? undefined : networks.subnets.get(link.subnet_id);
  return {
    id: link.id,
    mode: link.mode,
    ...(link.ip === null ? {} : { ip_address: link.ip }),
    ...(subnet === undefined ? {} : { subnet }),
  };
}

/** All interfaces of one machine: each names those that it is made of and that are made of it. */
export function interfaceBodies(rows: readonly InterfaceRow[], networks: NetworkBodies): InterfaceBody[] {
  const names = (ids: readonly number[]) => rows.filter((row) => ids.includes(row.id)).map((row) => row.name);
  const children = (id: number) => rows.filter((row) => row.parents.includes(id)).map((row) => row.id);
  const mtuOfVlan = (id: number) => networks.vlans.get(id)?.mtu;
  return rows.map((row) => {
    const params = { ...row.params, ...(row.mtu === null ? {} : { mtu: row.mtu }) };
    return {
      system_id: row.system_id,
      id: row.id,
      name: row.name,
      type: types.find((type) => type === row.type) ?? 'unknown',
      vlan: (row.vlan_id === null ? undefined : networks.vlans.get(row.vlan_id)) ?? null,
      mac_address: row.mac,
      parents: names(row.parents),
      children: names(children(row.id)),
      tags: [...row.tags],
      enabled: row.enabled,
      links: row.links.map((link) => linkBody(link, networks)),
      params: Object.keys(params).length === 0 ? '' : params,
      discovered: null,
      effective_mtu: effectiveMtu(rows, row.id, mtuOfVlan),
      vendor: row.vendor,
      product: row.product,
      firmware_version: row.firmware_version,
      link_connected: row.link_connected,
      interface_speed: row.interface_speed,
      link_speed: row.link_speed,
      numa_node: row.numa_node,
      sriov_max_vf: row.sriov_max_vf,
      resource_uri: uri('nodes', row.system_id, 'interfaces', row.id),
    };
  });
}
