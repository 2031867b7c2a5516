/** One change of the interfaces of a machine or device: by its owner or an admin, while nothing relies on them. */
import { fail, invalid } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import type { MachineState } from '../../contract/lifecycle.ts';
import { UniqueViolation } from '../../postgres/database-errors.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { hostOfMac, lockNode, portsOf, readInterfaces, type LockedNode, type OwnedInterface } from '../db/interface-store.ts';
import { interfaceBodies, type InterfaceBody } from './interface-body.ts';
import { judgePart, type PartCall } from './machine-part.ts';
import type { NetworkContext } from './network-context.ts';
import { found, idOfText, networkView, told } from './network-view.ts';

/** The interfaces of a machine or device, oldest first: two statements. @throws Failure `not_found`. */
export async function interfacesOf(context: NetworkContext, systemId: string): Promise<InterfaceBody[]> {
  const [rows, view] = await Promise.all([
    isSystemId(systemId) ? readInterfaces(context.database.db, systemId) : undefined,
    networkView(context),
  ]);
  return interfaceBodies(found(rows, 'Machine'), view);
}

/** @throws Failure `not_found`. */
export async function showInterface(context: NetworkContext, systemId: string, id: number): Promise<InterfaceBody> {
  return found(
    (await interfacesOf(context, systemId)).find((nic) => nic.id === id),
    'Interface',
  );
}

/** The interface that the path names, among those of the node. @throws Failure `not_found`. */
export function portBy(ports: readonly OwnedInterface[], id: string): OwnedInterface {
  const number = idOfText(id);
  return found(
    ports.find((port) => port.id === number),
    'Interface',
  );
}

/** @throws Failure `not_found`, `not_owner`, `forbidden`, `wrong_state`. */
function judge(node: LockedNode | undefined, caller: PartCall['caller'], also: readonly MachineState[]): LockedNode {
  if (node === undefined || node.machine) {
    judgePart(node?.machine, caller, 'interfaces', also);
    return found(node, 'Machine');
  }
  if (!caller.admin && node.owner !== caller.username)
    throw node.owner === null ? fail('forbidden') : fail('not_owner', { what: `Device ${node.system_id}` });
  return node;
}

const taken = { interface_system_id_name_key: { name: ['The machine already has an interface with this name.'] } };

export interface InterfaceCall extends PartCall {
  /** A MAC address that something else may have. */
  readonly mac?: string | undefined;
  /** Also in these states of a machine. */
  readonly also?: readonly MachineState[];
}

/** One transaction on a node whose row is locked, and its event; `work` says in words what it did, and gives the id of what is shown. */
export async function changeInterfaces(
  context: NetworkContext,
  call: InterfaceCall,
  work: (tx: CellDb, node: LockedNode, ports: OwnedInterface[]) => Promise<{ readonly did: string; readonly id: number }>,
): Promise<number> {
  const systemId = call.path.system_id;
  try {
    return await told(taken, () =>
      context.database.transaction(async (tx) => {
        const node = judge(isSystemId(systemId) ? await lockNode(tx, systemId) : undefined, call.caller, call.also ?? []);
        const { did, id } = await work(tx, node, await portsOf(tx, systemId));
        await record(tx, { kind: 'interface_changed', systemId, username: call.caller.username, description: did });
        return id;
      }),
    );
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error;
    // Who gives out addresses without the subnet's lock is caught by the index.
    if (error.constraint === 'interface_link_by_ip') throw fail('conflict', { what: 'this address' });
    if (call.mac === undefined || error.constraint !== 'interface_by_mac') throw error;
    // Who has the MAC is asked after the transaction that the violation ended.
    const host = (await hostOfMac(context.database.db, call.mac)) ?? 'another machine';
    throw invalid({ mac_address: [`This MAC address is already in use by ${host}.`] });
  }
}
