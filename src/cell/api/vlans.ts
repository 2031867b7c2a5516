/** VLANs, by their tag within a fabric and by their own id: the same handlers behind both paths. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { CellDb } from '../db/cell-db.ts';
import { deleteVlan, hasDynamicRange, insertVlan, updateVlan, useOfVlans } from '../db/fabric-store.ts';
import { lockNetworks } from '../db/network-guard.ts';
import { readNetworks, type VlanRow } from '../db/network-read.ts';
import { refusingInUse, usersOf } from './fabrics.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView } from './network-view.ts';
import { rackId } from './rack-id.ts';
import { fabricVlans, spaceBy, vlanBy } from './specifier.ts';

const taken = { vlan_fabric_id_vid_key: { vid: ['A VLAN with the specified VID already exists in the destination fabric.'] } };

/** By its own id, or by its fabric's id and its tag. */
type Path = { readonly vlan_id: string } | { readonly fabric_id: string; readonly vid: string };
type Changes = RouteParams<'Vlan.update'>;

function find<V extends Pick<VlanRow, 'id' | 'fabric_id' | 'fabric' | 'vid'>>(vlans: ReadonlyMap<number, V>, path: Path): V {
  if ('vlan_id' in path) return found(vlans.get(idOfText(path.vlan_id.replace(/^id:/, ''))), 'VLAN');
  const inFabric = fabricVlans({ vlans }, path.fabric_id) ?? [];
  // MAAS knows the VLAN of a fabric without a tag by this name, too.
  const vid = path.vid === 'untagged' ? 0 : idOfText(path.vid.replace(/^vid:/, ''));
  return found(
    inFabric.find((vlan) => vlan.vid === vid),
    'VLAN',
  );
}

/** A second process of the cell serves DHCP by itself: naming it changes nothing, naming anything else is a mistake. */
function refuseOtherRack({ cellNumber }: NetworkContext, rack: string | undefined, primary: string | undefined): void {
  if (rack === undefined || rack === '') return;
  if (rack === primary) throw invalid({ secondary_rack: ['Primary and secondary rack must be different.'] });
  const racks = [0, 1, 2].map((slot) => rackId(cellNumber, slot));
  if (!racks.includes(rack)) throw invalid({ secondary_rack: [`The rack controllers here are ${racks.join(', ')}.`] });
}

async function changesOf(context: NetworkContext, tx: CellDb, vlan: VlanRow, params: Changes) {
  const { space, relay_vlan, primary_rack, secondary_rack, vid, ...plain } = params;
  if (vlan.vid === 0 && vid !== undefined && vid !== 0)
    throw invalid({ vid: ['This VLAN is the untagged VLAN of its fabric; its VID stays 0.'] });
  if (primary_rack !== undefined && ![rackId(context.cellNumber), context.cellName, ''].includes(primary_rack)) {
    throw invalid({ primary_rack: [`The only rack controller here is ${rackId(context.cellNumber)}.`] });
  }
  refuseOtherRack(context, secondary_rack, primary_rack);
  const relay =
    relay_vlan === undefined ? vlan.relay_vlan_id : relay_vlan === '' ? null : vlanBy(await readNetworks(tx), relay_vlan, 'relay_vlan').id;
  if (relay === vlan.id) throw invalid({ relay_vlan: ['A VLAN cannot be relayed by itself.'] });
  const dhcpOn = params.dhcp_on ?? vlan.dhcp_on;
  if (dhcpOn && relay !== null) throw invalid({ relay_vlan: ["'relay_vlan' cannot be set when dhcp is on."] });
  if (params.dhcp_on === true && !(await hasDynamicRange(tx, vlan.id))) {
    throw invalid({ dhcp_on: ['dhcp can only be turned on when a dynamic IP range is defined.'] });
  }
  return {
    ...plain,
    ...(vid === undefined ? {} : { vid }),
    ...(space === undefined ? {} : { space_id: spaceBy(context.global, space) }),
    ...(relay_vlan === undefined ? {} : { relay_vlan_id: relay }),
  };
}

type VlanRoute = `Vlans.${'read' | 'create'}` | `${'Vlan' | 'VlanById'}.${'read' | 'update' | 'delete'}`;

export function vlanHandlers(context: NetworkContext): Handlers<VlanRoute> {
  const read = async (path: Path) => find((await networkView(context)).vlans, path);
  const update = async (path: Path, params: Changes, username: string) => {
    const id = await changeNetwork(context, username, taken, async (tx) => {
      await lockNetworks(tx);
      const vlan = find((await readNetworks(tx)).vlans, path);
      await updateVlan(tx, vlan.id, await changesOf(context, tx, vlan, params));
      return { did: `VLAN ${vlan.vid} of ${vlan.fabric} changed`, value: vlan.id };
    });
    return read({ vlan_id: String(id) });
  };
  const remove = (path: Path, username: string) =>
    changeNetwork(context, username, {}, async (tx) => {
      await lockNetworks(tx);
      const vlan = find((await readNetworks(tx)).vlans, path);
      if (vlan.vid === 0) throw fail('bad_request', { reason: 'This VLAN is the default VLAN in the fabric, it cannot be deleted.' });
      await refusingInUse(`VLAN ${vlan.vid} of ${vlan.fabric}`, usersOf(await useOfVlans(tx, [vlan.id])), () => deleteVlan(tx, vlan.id));
      return { did: `VLAN ${vlan.vid} of ${vlan.fabric} deleted`, value: undefined };
    });
  return {
    'Vlans.read': async ({ path }) => {
      // Every fabric has its untagged VLAN: none is no fabric.
      const vlans = found(fabricVlans(await networkView(context), path.fabric_id), 'Fabric');
      return vlans.toSorted((a, b) => a.vid - b.vid);
    },
    'Vlans.create': async ({ path, params, caller }) => {
      const { vid, name, description = '', mtu, space, enlists } = params;
      const id = await changeNetwork(context, caller.username, taken, async (tx) => {
        await lockNetworks(tx);
        const networks = await readNetworks(tx);
        const [sibling] = found(fabricVlans(networks, path.fabric_id), 'Fabric');
        const value = await insertVlan(tx, {
          fabric_id: sibling?.fabric_id ?? Number.NaN,
          vid,
          name: name ?? String(vid),
          description,
          space_id: space === undefined ? null : spaceBy(context.global, space),
          ...(mtu === undefined ? {} : { mtu }),
          ...(enlists === undefined ? {} : { enlists }),
        });
        return { did: `VLAN ${vid} created in ${sibling?.fabric}`, value };
      });
      return read({ vlan_id: String(id) });
    },
    'Vlan.read': ({ path }) => read(path),
    'VlanById.read': ({ path }) => read(path),
    'Vlan.update': ({ path, params, caller }) => update(path, params, caller.username),
    'VlanById.update': ({ path, params, caller }) => update(path, params, caller.username),
    'Vlan.delete': ({ path, caller }) => remove(path, caller.username),
    'VlanById.delete': ({ path, caller }) => remove(path, caller.username),
  };
}
