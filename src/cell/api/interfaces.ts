/** Interfaces of a machine. Their links are in interface-links.ts. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import {
  deleteInterface,
  deleteLinks,
  holdVlan,
  hostOfMac,
  insertInterface,
  interfaceOf,
  updateInterface,
  type OwnedInterface,
} from '../db/interface-store.ts';
import type { LockedMachine } from '../db/machine-part-store.ts';
import { interfaceBody, type InterfaceBody } from './interface-body.ts';
import { changePart, partsOf } from './machine-part.ts';
import type { NetworkContext } from './network-context.ts';
import { found, idOfText, networkView } from './network-view.ts';
import { wordsOf } from './subnet-settings.ts';

/** The interfaces of a machine, oldest first: two statements. @throws Failure `not_found`. */
export async function interfaceBodies(context: NetworkContext, systemId: string): Promise<InterfaceBody[]> {
  const [machine, view] = await Promise.all([partsOf(context, systemId, 'interfaces'), networkView(context)]);
  return machine.interfaces.map((nic) => interfaceBody(nic, view));
}

/** @throws Failure `not_found`. */
export async function showInterface(context: NetworkContext, systemId: string, id: number): Promise<InterfaceBody> {
  return found(
    (await interfaceBodies(context, systemId)).find((nic) => nic.id === id),
    'Interface',
  );
}

/** @throws Failure `not_found`. */
export async function ownInterface(tx: CellDb, machine: LockedMachine, id: string): Promise<OwnedInterface> {
  const number = idOfText(id);
  return found(Number.isNaN(number) ? undefined : await interfaceOf(tx, machine.system_id, number), 'Interface');
}

/** The id of a VLAN that stays; null for an empty text. @throws Failure `invalid`. */
async function vlanOf(tx: CellDb, text: string): Promise<number | null> {
  if (text === '') return null;
  const id = idOfText(text.replace(/^id:/, ''));
  if (Number.isNaN(id) || !(await holdVlan(tx, id))) throw invalid({ vlan: [`Unable to find VLAN ${text.slice(0, 100)}.`] });
  return id;
}

const taken = { interface_system_id_name_key: { name: ['The machine already has an interface with this name.'] } };

function macOf(text: string): string {
  return text.toLowerCase().replaceAll('-', ':');
}

type InterfaceRoute = `Interfaces.${'read' | 'create_physical'}` | `Interface.${'read' | 'update' | 'delete'}`;

export function interfaceHandlers(context: NetworkContext): Handlers<InterfaceRoute> {
  /** Who has the MAC is asked after the transaction that the violation ended. */
  const naming = async <T>(mac: string | undefined, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (mac === undefined || !(error instanceof UniqueViolation) || error.constraint !== 'interface_by_mac') throw error;
      const host = (await hostOfMac(context.database.db, mac)) ?? 'another machine';
      throw invalid({ mac_address: [`This MAC address is already in use by ${host}.`] });
    }
  };
  return {
    'Interfaces.read': ({ path }) => interfaceBodies(context, path.system_id),
    'Interface.read': ({ path }) => showInterface(context, path.system_id, idOfText(path.id)),
    'Interfaces.create_physical': async (call) => {
      const { name, tags = [], vlan = '', mtu = null } = call.params;
      const mac = macOf(call.params.mac_address);
      const id = await naming(mac, () =>
        changePart(context, call, 'interface_changed', taken, async (tx, machine) => {
          const vlan_id = await vlanOf(tx, vlan);
          const value = await insertInterface(tx, { system_id: machine.system_id, name, mac, vlan_id, mtu, tags: wordsOf(tags) });
          return { did: `Interface ${name ?? mac} added`, value };
        }),
      );
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.update': async (call) => {
      const { mac_address, tags, vlan, ...plain } = call.params;
      const mac = mac_address === undefined ? undefined : macOf(mac_address);
      const id = await naming(mac, () =>
        changePart(context, call, 'interface_changed', taken, async (tx, machine) => {
          const nic = await ownInterface(tx, machine, call.path.id);
          const vlan_id = vlan === undefined ? nic.vlan_id : await vlanOf(tx, vlan);
          if (vlan_id !== nic.vlan_id) await deleteLinks(tx, nic.id);
          const words = tags === undefined ? {} : { tags: wordsOf(tags) };
          await updateInterface(tx, nic.id, { ...plain, ...words, ...(mac === undefined ? {} : { mac }), vlan_id });
          return { did: `Interface ${nic.name} changed`, value: nic.id };
        }),
      );
      return showInterface(context, call.path.system_id, id);
    },
    'Interface.delete': (call) =>
      changePart(context, call, 'interface_changed', {}, async (tx, machine) => {
        const nic = await ownInterface(tx, machine, call.path.id);
        if (nic.id === machine.boot_interface_id) {
          throw fail('bad_request', {
            reason: `Interface ${nic.name} is what machine ${machine.system_id} boots from, it cannot be deleted.`,
          });
        }
        await deleteInterface(tx, nic.id);
        return { did: `Interface ${nic.name} deleted`, value: undefined };
      }),
  };
}
