/** How parameters name a VLAN, a subnet or a space (maas-api.md §1.5). Pure. */
import { invalid } from '../../contract/errors.ts';
import type { GlobalReader } from '../../global/document.ts';
import type { Networks, SubnetRow, VlanRow } from '../db/network-read.ts';
import { formatNetwork, parseNetwork } from './ip-address.ts';
import { idOfText } from './network-view.ts';

/** An id, `id:ID`, `cidr:NETWORK` or a CIDR. @throws Failure `invalid` on `field`. */
export function subnetBy(networks: Pick<Networks, 'subnets'>, text: string, field = 'subnet'): SubnetRow {
  const [, word = '', rest = ''] = /^(?:(id|cidr|name):)?(.*)$/s.exec(text) ?? [];
  const network = parseNetwork(rest);
  const cidr = network && formatNetwork(network);
  const subnet =
    networks.subnets.get(word === '' || word === 'id' ? idOfText(rest) : Number.NaN) ??
    [...networks.subnets.values()].find((one) => (word === 'name' ? one.name === rest : word !== 'id' && one.cidr === cidr));
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

/** The VLANs of a fabric, by its id or name; undefined when there is no such fabric. Every fabric has at least its untagged VLAN. */
export function fabricVlans(networks: Pick<Networks, 'vlans'>, fabric: string): readonly VlanRow[] | undefined {
  const all = [...networks.vlans.values()];
  const byId = all.filter((vlan) => vlan.fabric_id === idOfText(fabric));
  const found = byId.length > 0 ? byId : all.filter((vlan) => vlan.fabric === fabric);
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
