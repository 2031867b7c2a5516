/** How parameters name a VLAN, a subnet or a space (maas-api.md §1.5). Pure. */
import { invalid } from '../../contract/errors.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Networks, SubnetRow, VlanRow } from '../db/network-read.ts';
import { formatNetwork, isInside, parseAddress, parseNetwork } from './ip-address.ts';
import { idOfText } from './network-view.ts';

/** How each kind of specifier tells a subnet: `cidr:10.40.1.0/24`, `name:lab`, `ip:10.40.1.7`, `id:7`. */
const subnetTests: Readonly<Record<string, (rest: string) => (subnet: SubnetRow) => boolean>> = {
  id: (rest) => (subnet) => subnet.id === idOfText(rest),
  cidr: (rest) => {
    const network = parseNetwork(rest);
    const cidr = network && formatNetwork(network);
    return (subnet) => subnet.cidr === cidr;
  },
  name: (rest) => (subnet) => subnet.name === rest,
  ip: (rest) => {
    const address = parseAddress(rest);
    return (subnet) => {
      const network = parseNetwork(subnet.cidr);
      return address !== undefined && network !== undefined && isInside(network, address);
    };
  },
};

/** A specifier, or in this order an id, a CIDR, a name. */
export function findSubnet(networks: Pick<Networks, 'subnets'>, text: string): SubnetRow | undefined {
  const [, word, rest = ''] = /^(?:(id|cidr|name|ip):)?(.*)$/s.exec(text) ?? [];
  const all = [...networks.subnets.values()];
  for (const kind of word === undefined ? ['id', 'cidr', 'name'] : [word]) {
    const test = subnetTests[kind]?.(rest);
    const subnet = test && all.find(test);
    if (subnet) return subnet;
  }
  return undefined;
}

/** @throws Failure `invalid` on `field`. */
export function subnetBy(networks: Pick<Networks, 'subnets'>, text: string, field = 'subnet'): SubnetRow {
  const subnet = findSubnet(networks, text);
  if (!subnet) throw invalid({ [field]: [`Unable to find subnet ${text.slice(0, 100)}.`] });
  return subnet;
}

/** An id or `id:ID`. @throws Failure `invalid` on `field`. */
export function vlanBy(networks: Pick<Networks, 'vlans'>, text: string, field = 'vlan'): VlanRow {
  const vlan = networks.vlans.get(idOfText(text.replace(/^id:/, '')));
  if (!vlan) throw invalid({ [field]: [`Unable to find VLAN ${text.slice(0, 100)}.`] });
  return vlan;
}

/** A space's id, by its name or id; null for an empty text and for `undefined`, MAAS's name of being in none. */
export function spaceBy(global: Pick<GlobalReader, 'get' | 'named'>, text: string): number | null {
  if (text === '' || text === 'undefined' || text === '-1') return null;
  const space = global.get('space', idOfText(text)) ?? global.named('space', text);
  if (!space) throw invalid({ space: [`Unable to find space ${text.slice(0, 100)}.`] });
  return space.id;
}

/** The VLANs of a fabric, by its id or name (`id:` or `name:` before it or not); undefined when there is no such fabric. Every fabric has at least its untagged VLAN. */
export function fabricVlans<V extends Pick<VlanRow, 'fabric' | 'fabric_id'>>(
  networks: { readonly vlans: ReadonlyMap<number, V> },
  fabric: string,
): readonly V[] | undefined {
  const all = [...networks.vlans.values()];
  const [, word, rest = ''] = /^(?:(id|name):)?(.*)$/s.exec(fabric) ?? [];
  const byId = word === 'name' ? [] : all.filter((vlan) => vlan.fabric_id === idOfText(rest));
  const found = byId.length > 0 || word === 'id' ? byId : all.filter((vlan) => vlan.fabric === rest);
  return found.length > 0 ? found : undefined;
}

/** The id of the default fabric: the oldest. */
export function defaultFabric(networks: Pick<Networks, 'vlans'>): number {
  return Math.min(...[...networks.vlans.values()].map((vlan) => vlan.fabric_id));
}

export interface VlanChoice {
  readonly vlan?: string | undefined;
  readonly fabric?: string | undefined;
  readonly vid?: number | undefined;
}

/**
 * The VLAN of a subnet: its id, or a fabric's name in its place; else the tag (0 when left out) in the fabric (the default one when left
 * out). Undefined when nothing is said at all. @throws Failure `invalid`.
 */
export function chooseVlan(networks: Pick<Networks, 'vlans'>, choice: VlanChoice): VlanRow | undefined {
  const { vid = 0 } = choice;
  if (choice.vlan !== undefined && choice.vlan !== '') {
    const untagged = Number.isNaN(idOfText(choice.vlan.replace(/^id:/, ''))) ? fabricVlans(networks, choice.vlan) : undefined;
    const vlan = untagged?.find((one) => one.vid === 0) ?? vlanBy(networks, choice.vlan);
    if (choice.vid !== undefined && vlan.vid !== choice.vid)
      throw invalid({ vid: [`VLAN ${vlan.id} has the tag ${vlan.vid}, not ${choice.vid}.`] });
    return vlan;
  }
  if ((choice.fabric ?? '') === '' && choice.vid === undefined) return undefined;
  const fabric = (choice.fabric ?? '') === '' ? String(defaultFabric(networks)) : (choice.fabric ?? '');
  const vlans = fabricVlans(networks, fabric);
  if (!vlans) throw invalid({ fabric: [`Unable to find fabric ${fabric.slice(0, 100)}.`] });
  const vlan = vlans.find((one) => one.vid === vid);
  if (!vlan) throw invalid({ vid: [`No VLAN with vid ${vid} in fabric ${vlans[0]?.fabric}.`] });
  return vlan;
}
