/** Networks: the subnets as MAAS 1 showed them. Writes are gone, in MAAS as well. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { macsOnVlan, subnetsOfNodes } from '../db/network-member-store.ts';
import { readNetworks, type Networks, type SubnetRow } from '../db/network-read.ts';
import { formatAddress } from './ip-address.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { found } from './network-view.ts';
import { findSubnet } from './specifier.ts';
import { networkOf } from './subnet-settings.ts';

function networkBody(subnet: SubnetRow, { vlans }: Networks) {
  const network = networkOf(subnet.cidr);
  const bits = network.family === 4 ? 32 : 128;
  const host = 1n << BigInt(bits - network.prefix);
  const name = `subnet-${subnet.id}`;
  return {
    name,
    ip: formatAddress({ family: network.family, value: network.first }),
    netmask: formatAddress({ family: network.family, value: (1n << BigInt(bits)) - host }),
    vlan_tag: vlans.get(subnet.vlan_id)?.vid ?? 0,
    description: subnet.name,
    default_gateway: subnet.gateway_ip,
    dns_servers: [...subnet.dns_servers],
    resource_uri: uri('networks', name),
  };
}

type NetworkRoute =
  | `Networks.${'read' | 'create'}`
  | `Network.${'read' | 'update' | 'delete' | 'connect_macs' | 'disconnect_macs' | 'list_connected_macs'}`;

export function oldNetworkHandlers({ database }: Pick<NetworkContext, 'database'>): Handlers<NetworkRoute> {
  const { db } = database;
  const find = (networks: Networks, name: string) => found(findSubnet(networks, name.replace(/^subnet-(?=\d)/, '')), 'Network');
  const gone = (): never => {
    throw fail('gone', { what: 'Writing networks/', why: 'use subnets/ instead.' });
  };
  return {
    'Networks.read': async ({ params }) => {
      const networks = await readNetworks(db);
      const nodes = [...new Set(params.node ?? [])];
      const joint = nodes.length === 0 ? undefined : new Set(await subnetsOfNodes(db, nodes));
      return [...networks.subnets.values()]
        .filter((subnet) => joint === undefined || joint.has(subnet.id))
        .toSorted((a, b) => a.id - b.id)
        .map((subnet) => networkBody(subnet, networks));
    },
    'Network.read': async ({ path }) => {
      const networks = await readNetworks(db);
      return networkBody(find(networks, path.name), networks);
    },
    'Network.list_connected_macs': async ({ path }) => {
      const subnet = find(await readNetworks(db), path.name);
      return (await macsOnVlan(db, subnet.vlan_id)).map((mac_address) => ({ mac_address }));
    },
    'Networks.create': gone,
    'Network.update': gone,
    'Network.delete': gone,
    'Network.connect_macs': gone,
    'Network.disconnect_macs': gone,
  };
}
