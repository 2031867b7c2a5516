/** Changes of a machine's interfaces and disks: by its owner or an admin, while nothing relies on them. */
import { fail } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { lifecycle, stateOf, type MachineState } from '../../contract/lifecycle.ts';
import type { EventKind } from '../../contract/events.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { lockMachine, type LockedMachine } from '../db/machine-part-store.ts';
import type { NetworkContext } from './network-context.ts';
import { told, type Taken } from './network-view.ts';

/** The states in which MAAS lets interfaces and disks be changed. */
const changeable: readonly MachineState[] = ['new', 'ready', 'allocated', 'failed_testing', 'broken'];

interface Asker {
  readonly username: string;
  readonly admin: boolean;
}

/** `also`: states in which this one change is allowed, too. @throws Failure `not_found`, `not_owner`, `forbidden`, `wrong_state`. */
export function judgePart(
  machine: LockedMachine | undefined,
  caller: Asker,
  part: string,
  also: readonly MachineState[] = [],
): LockedMachine {
  if (!machine) throw fail('not_found', { what: 'Machine' });
  if (!caller.admin && machine.owner !== caller.username) {
    throw machine.owner === null ? fail('forbidden') : fail('not_owner', { what: `Machine ${machine.system_id}` });
  }
  if (machine.locked) throw fail('wrong_state', { text: `Machine ${machine.system_id} is locked.` });
  const state = stateOf(machine.status);
  const allowed = [...changeable, ...also];
  if (!allowed.includes(state)) {
    const names = allowed.map((one) => lifecycle[one].name);
    const text = `Cannot change ${part} of machine ${machine.system_id} because it is ${lifecycle[state].name}, not ${names.slice(0, -1).join(', ')} or ${names.at(-1)}.`;
    throw fail('wrong_state', { text });
  }
  return machine;
}

export interface PartCall {
  readonly path: { readonly system_id: string };
  readonly caller: Asker;
}

/** One transaction on a machine whose row is locked, and its event; `work` says in words what it did. */
export async function changePart<T>(
  { database }: Pick<NetworkContext, 'database'>,
  call: PartCall,
  kind: Extract<EventKind, 'interface_changed' | 'block_device_changed'>,
  taken: Taken,
  work: (tx: CellDb, machine: LockedMachine) => Promise<{ readonly did: string; readonly value: T }>,
  also: readonly MachineState[] = [],
): Promise<T> {
  const systemId = call.path.system_id;
  const part = kind === 'interface_changed' ? 'interfaces' : 'block devices';
  return told(taken, () =>
    database.transaction(async (tx) => {
      const machine = judgePart(isSystemId(systemId) ? await lockMachine(tx, systemId) : undefined, call.caller, part, also);
      const { did, value } = await work(tx, machine);
      await record(tx, { kind, systemId, username: call.caller.username, description: did });
      return value;
    }),
  );
}
