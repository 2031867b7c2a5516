/** Giving machines back, and stopping what is being done to them. */
import { fail, type Failure } from '../../contract/errors.ts';
import { lifecycle, stateOf } from '../../contract/lifecycle.ts';
import { settingOf } from '../../global/api/settings.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { cutOperation, readGuards, type MachineGuard } from '../db/machine-guard.ts';
import { askAbort, startOperation } from '../db/operation-store.ts';
import { act, changing } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { refuseAction, statusName, type Asker } from './judge-action.ts';

interface ReleaseGiven {
  readonly erase?: boolean;
  readonly quick_erase?: boolean;
  readonly comment?: string;
}

/** Ready, or on its way there: releasing it again changes nothing. */
function isReleased(guard: MachineGuard): boolean {
  return guard.status === lifecycle.ready.number || guard.status === lifecycle.releasing.number;
}

export function releaseHandlers(context: ApiContext): Handlers<'Machine.release' | 'Machine.abort' | 'Machines.release'> {
  const { database, global } = context;

  async function release(tx: CellDb, guard: MachineGuard, given: ReleaseGiven, by: string): Promise<void> {
    if (isReleased(guard)) return;
    const isErased = given.erase ?? (given.quick_erase === true || settingOf(global, 'enable_disk_erasing_on_release'));
    const quick = given.quick_erase ?? settingOf(global, 'disk_erase_with_quick_erase');
    // A deployment that is under way is stopped first: its row, before the machine's, as everywhere.
    await cutOperation(tx, guard.system_id, 'the machine was released');
    const id = await startOperation(tx, {
      kind: isErased ? 'erase' : 'release',
      systemId: guard.system_id,
      from: [stateOf(guard.status)],
      generation: guard.generation,
      requestedBy: by,
      by,
      parameters: isErased ? { quick } : {},
    });
    await record(tx, {
      kind: 'release_asked',
      systemId: guard.system_id,
      username: by,
      description: `(${by})${given.comment === undefined ? '' : ` - ${given.comment}`}`,
      data: { operation: id, erase: isErased },
    });
  }

  /** All are judged before the first is released. */
  function judgeAll(ids: readonly string[], guards: readonly MachineGuard[], caller: Asker): Failure | undefined {
    const missing = ids.filter((id) => !guards.some((guard) => guard.system_id === id));
    if (missing.length > 0) return fail('bad_request', { reason: `Unknown machine(s): ${missing.join(', ')}.` });
    const refusals = guards.flatMap((guard) => {
      const failure = refuseAction(guard, 'release', caller);
      return failure ? [{ guard, failure }] : [];
    });
    const foreign = refusals.filter(({ failure }) => failure.code === 'not_owner' || failure.code === 'forbidden');
    if (foreign.length > 0) {
      return fail('not_owner', { what: `Not released: ${foreign.map(({ guard }) => guard.system_id).join(', ')}` });
    }
    if (refusals.length === 0) return undefined;
    const states = refusals.map(({ guard }) => `${guard.system_id} ('${guard.locked ? 'Locked' : statusName(guard.status)}')`);
    return fail('wrong_state', { text: `Machine(s) cannot be released in their current state: ${states.join(', ')}.` });
  }

  return {
    'Machine.release': (call) => {
      if (call.params.secure_erase === true)
        throw fail('wrong_state', { text: 'secure_erase is not built yet: use erase or quick_erase.' });
      return act(context, call, 'release', (tx, guard) => release(tx, guard, call.params, call.caller.username));
    },
    'Machines.release': async ({ params, caller }) => {
      const ids = [...new Set(params.machines)];
      const guards = await readGuards(database.db, ids);
      const refused = judgeAll(ids, guards, caller);
      if (refused) throw refused;
      const released = guards.filter((guard) => !isReleased(guard));
      for (const guard of released) await changing(context, guard.system_id, (tx) => release(tx, guard, params, caller.username));
      return released.map((guard) => guard.system_id);
    },
    'Machine.abort': (call) =>
      act(context, call, 'abort', async (tx, guard) => {
        const { username } = call.caller;
        await askAbort(tx, guard.system_id);
        await record(tx, {
          kind: 'abort_asked',
          systemId: guard.system_id,
          username,
          description: `(${username})${call.params.comment === undefined ? '' : ` - ${call.params.comment}`}`,
        });
      }),
  };
}
