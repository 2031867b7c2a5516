/** Giving machines back, and stopping what is being done to them. */
import { fail, type Failure } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { record } from '../db/event-store.ts';
import { cutOperation, readGuards, type MachineGuard } from '../db/machine-guard.ts';
import { askAbort, startOperation } from '../db/operation-store.ts';
import { act } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { inChunks, nothingBefore, refuseHalf } from './bulk-chunks.ts';
import { releasing } from './bulk-works.ts';
import { refuseAction, statusName, type Asker } from './judge-action.ts';
import { isReleased, releasePlan, type ReleaseGiven } from './release-plan.ts';

export function releaseHandlers(context: ApiContext): Handlers<'Machine.release' | 'Machine.abort' | 'Machines.release'> {
  const { database, global } = context;

  async function release(tx: CellDb, guard: MachineGuard, given: ReleaseGiven, by: string): Promise<void> {
    if (isReleased(guard)) return;
    const { kind, parameters } = releasePlan(global, given);
    context.destructive.take(1);
    // A deployment that is under way is stopped first: its row, before the machine's, as everywhere.
    await cutOperation(tx, guard.system_id, 'the machine was released');
    const id = await startOperation(tx, {
      kind,
      systemId: guard.system_id,
      from: [stateOf(guard.status)],
      generation: guard.generation,
      requestedBy: by,
      by,
      parameters,
    });
    await record(tx, {
      kind: 'release_asked',
      systemId: guard.system_id,
      username: by,
      description: `(${by})${given.comment === undefined ? '' : ` - ${given.comment}`}`,
      data: { operation: id, erase: kind === 'erase' },
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
      if (call.params.secure_erase === true) throw fail('bad_request', { reason: 'secure_erase is not built: use erase or quick_erase.' });
      return act(context, call, 'release', (tx, guard) => release(tx, guard, call.params, call.caller.username));
    },
    'Machines.release': async ({ params, caller }) => {
      const ids = [...new Set(params.machines)];
      const guards = await readGuards(database.db, ids);
      const refused = judgeAll(ids, guards, caller);
      if (refused) throw refused;
      const released = guards.filter((guard) => !isReleased(guard)).map((guard) => guard.system_id);
      const work = releasing(releasePlan(global, params), caller, undefined, params.comment);
      const outcomes = await inChunks(context, released, nothingBefore, work);
      refuseHalf(outcomes);
      return released;
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
