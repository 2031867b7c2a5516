/** One change of a machine's storage: who may, in which state, and in one transaction with its event. The rules themselves are in `storage/`. */
import { fail } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { stateOf, type MachineState } from '../../contract/lifecycle.ts';
import { LostRace, type CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { readMachines } from '../db/machine-read.ts';
import { lockStorage, saveStorage, type StorageMachine } from '../db/storage-store.ts';
import { ownCopy, specials } from '../storage/filesystems.ts';
import type { Maker, Storage } from '../storage/model.ts';
import { storageView, type StorageView } from './block-device-body.ts';
import type { NetworkContext } from './network-context.ts';
import { found, told } from './network-view.ts';

type Reads = Pick<NetworkContext, 'database'>;

export interface StorageCall {
  readonly path: { readonly system_id: string };
  readonly caller: { readonly username: string; readonly admin: boolean };
}

/** Who may do it, and while the machine is what. `verb` goes into the sentences: `create partition`. */
export interface Permission {
  readonly verb: string;
  readonly who: 'admin' | 'owner';
}

/** An admin's change, while the machine is Ready. */
export const byAdmin = (verb: string): Permission => ({ verb, who: 'admin' });
/** An admin's change of a Ready machine, or its owner's of an Allocated one. */
export const byOwner = (verb: string): Permission => ({ verb, who: 'owner' });

const states: Readonly<Record<Permission['who'], readonly MachineState[]>> = { admin: ['ready'], owner: ['ready', 'allocated'] };

/** @throws Failure `forbidden`, `not_owner`, `wrong_state`. */
function judge(machine: StorageMachine, caller: StorageCall['caller'], { verb, who }: Permission): void {
  if (!caller.admin) {
    if (machine.owner !== null && machine.owner !== caller.username) throw fail('not_owner', { what: `Machine ${machine.system_id}` });
    if (who === 'admin' || machine.owner === null) throw fail('forbidden');
  }
  if (machine.locked) throw fail('wrong_state', { text: `Machine ${machine.system_id} is locked.` });
  if (!states[who].includes(stateOf(machine.status)))
    throw fail('wrong_state', { text: `Cannot ${verb} because the machine is not Ready${who === 'owner' ? ' or Allocated' : ''}.` });
}

const taken = { block_device_system_id_name_key: { name: ['Block device with this Name already exists.'] } };

/** What a rule makes of the storage; `storage` is what is saved, and `value` handed back. */
export interface Outcome<T> {
  readonly did: string;
  readonly storage: Storage;
  readonly value: T;
}

/**
 * Lock the machine, judge, apply a rule, save, and record it. The owner of an allocated machine changes a copy of its file systems.
 * @throws Failure of the judgement or the rule; `conflict` when two changes got in each other's way.
 */
export async function changeStorage<T>(
  { database }: Reads,
  call: StorageCall,
  permission: Permission,
  rule: (storage: Storage, make: Maker, tx: CellDb) => Outcome<T> | Promise<Outcome<T>>,
): Promise<T> {
  const systemId = call.path.system_id;
  try {
    return await told(taken, () =>
      database.transaction(async (tx) => {
        const read = found(isSystemId(systemId) ? await lockStorage(tx, systemId) : undefined, 'Machine');
        judge(read.machine, call.caller, permission);
        const { storage: before, make } = read;
        const given = permission.who === 'owner' && read.machine.owner !== null ? ownCopy(before, make) : before;
        const { did, storage, value } = await rule(given, make, tx);
        // From the first partition, file system or group on, nothing is installed that was not said.
        const isSaid = storage.partitions.length > 0 || storage.groups.length > 0 || storage.filesystems.length > specials(storage).length;
        const layout = storage.layout ?? (isSaid ? 'custom' : null);
        await saveStorage(tx, systemId, before, { ...storage, layout });
        await record(tx, { kind: 'block_device_changed', systemId, username: call.caller.username, description: did });
        return value;
      }),
    );
  } catch (error) {
    if (error instanceof LostRace) throw fail('conflict', { what: `machine ${systemId}` });
    throw error;
  }
}

/** How a machine's disks are used, for everybody. @throws Failure `not_found`. */
export async function readStorage({ database }: Reads, systemId: string): Promise<StorageView> {
  const parts = { interfaces: false, disks: true, scripts: false };
  const [machine] = isSystemId(systemId) ? await readMachines(database.db, [systemId], parts) : [];
  return storageView(found(machine, 'Machine'));
}
