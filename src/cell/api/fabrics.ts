/** Fabrics: each has an untagged VLAN, and the oldest is where subnets go that name none. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  deleteFabric,
  ensureFabric,
  insertFabric,
  readFabrics,
  updateFabric,
  useOfVlans,
  type FabricRow,
  type VlanUse,
} from '../db/fabric-store.ts';
import { isStillReferenced, lockNetworks } from '../db/network-guard.ts';
import { readNetworks } from '../db/network-read.ts';
import { uri, type NetworkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, idOfText, networkView, refuseOtherCell } from './network-view.ts';

const taken = { fabric_name_key: { name: ['Fabric with this Name already exists.'] } };

/** An id or a name, with `id:` or `name:` before it or not. @throws Failure `not_found`. */
function fabricBy(fabrics: readonly FabricRow[], text: string): FabricRow {
  const [, word, rest = ''] = /^(?:(id|name):)?(.*)$/s.exec(text) ?? [];
  const byId = word === 'name' ? undefined : fabrics.find((fabric) => fabric.id === idOfText(rest));
  const byName = word === 'id' ? undefined : fabrics.find((fabric) => fabric.name === rest);
  return found(byId ?? byName, 'Fabric');
}

function fabricBody(fabric: FabricRow, { vlans }: NetworkBodies) {
  return {
    id: fabric.id,
    name: fabric.name,
    class_type: fabric.class_type,
    vlans: [...vlans.values()].filter((vlan) => vlan.fabric_id === fabric.id).toSorted((a, b) => a.vid - b.vid),
    resource_uri: uri('fabrics', fabric.id),
  };
}

/** In words, for a refusal; undefined when nothing is there. */
export function usersOf(use: VlanUse): string | undefined {
  const parts = [
    ...(use.subnets.length > 0 ? [`${use.subnets.length === 1 ? 'subnet' : 'subnets'} ${use.subnets.slice(0, 5).join(', ')}`] : []),
    ...(use.interfaces > 0 ? [`${use.interfaces} ${use.interfaces === 1 ? 'interface' : 'interfaces'}`] : []),
    ...(use.relayed > 0 ? [`DHCP relayed for ${use.relayed} ${use.relayed === 1 ? 'VLAN' : 'VLANs'}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : undefined;
}

/** Refuse, by what is there now or by what a race put there meanwhile. @throws Failure `in_use`. */
export async function refusingInUse<T>(what: string, by: string | undefined, remove: () => Promise<T>): Promise<T> {
  if (by !== undefined) throw fail('in_use', { what, by });
  try {
    return await remove();
  } catch (error) {
    if (isStillReferenced(error)) throw fail('in_use', { what, by: 'something was put there at this moment' });
    throw error;
  }
}

type FabricRoute = `Fabrics.${'read' | 'create'}` | `Fabric.${'read' | 'update' | 'delete'}`;

export function fabricHandlers(context: NetworkContext): Handlers<FabricRoute> {
  const { database } = context;
  const show = async (text: string) => {
    const [fabrics, view] = await Promise.all([readFabrics(database.db), networkView(context)]);
    return fabricBody(fabricBy(fabrics, text), view);
  };
  const remove = async (tx: CellDb, text: string) => {
    await lockNetworks(tx);
    const fabrics = await readFabrics(tx);
    const fabric = fabricBy(fabrics, text);
    if (fabric.id === fabrics[0]?.id) throw fail('bad_request', { reason: 'This fabric is the default fabric, it cannot be deleted.' });
    const vlans = [...(await readNetworks(tx)).vlans.values()].filter((vlan) => vlan.fabric_id === fabric.id).map((vlan) => vlan.id);
    await refusingInUse(`Fabric ${fabric.name}`, usersOf(await useOfVlans(tx, vlans)), () => deleteFabric(tx, fabric.id));
    return { did: `Fabric ${fabric.name} deleted`, value: undefined };
  };
  return {
    'Fabrics.read': async () => {
      const [fabrics, view] = await Promise.all([readFabrics(database.db), networkView(context)]);
      return fabrics.map((fabric) => fabricBody(fabric, view));
    },
    'Fabric.read': ({ path }) => show(path.id),
    'Fabrics.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      const { name, description = '', class_type } = params;
      const id = await changeNetwork(context, caller.username, taken, async (tx) => {
        await lockNetworks(tx);
        // The default fabric is the oldest: nobody's own shall become it, which could then not be deleted.
        await ensureFabric(tx);
        const value = await insertFabric(tx, { name, description, classType: class_type ?? null });
        return { did: `Fabric ${name ?? value} created`, value };
      });
      return show(String(id));
    },
    'Fabric.update': async ({ path, params, caller }) => {
      const id = await changeNetwork(context, caller.username, taken, async (tx) => {
        await lockNetworks(tx);
        const fabric = fabricBy(await readFabrics(tx), path.id);
        await updateFabric(tx, fabric.id, params);
        return { did: `Fabric ${fabric.name} changed`, value: fabric.id };
      });
      return show(String(id));
    },
    'Fabric.delete': ({ path, caller }) => changeNetwork(context, caller.username, {}, (tx) => remove(tx, path.id)),
  };
}
