/** How every handler that changes a machine goes: judge, change in one transaction, show the machine as it is then. */
import { fail } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import type { Action } from '../../contract/lifecycle.ts';
import { TransactionConflict, UniqueViolation } from '../../postgres/database-errors.ts';
import { LostRace, type CellDb } from '../db/cell-db.ts';
import { readGuards, type MachineGuard } from '../db/machine-guard.ts';
import type { ApiContext } from './api-context.ts';
import { busy, refuseAction, type Asker } from './judge-action.ts';
import type { MachineBody } from './machine-body.ts';
import { machineBodyOf } from './machine-page.ts';

/** @throws Failure `not_found`. */
export async function guardOf(context: Pick<ApiContext, 'database'>, systemId: string): Promise<MachineGuard> {
  const [guard] = isSystemId(systemId) ? await readGuards(context.database.db, [systemId]) : [];
  if (!guard) throw fail('not_found', { what: 'Machine' });
  return guard;
}

/**
 * One transaction on a machine that was judged. Somebody who was faster is `conflict`, a live operation `machine_busy`, a name or MAC that
 * is taken is thrown as it came.
 */
export async function changing<T>(context: Pick<ApiContext, 'database'>, systemId: string, work: (tx: CellDb) => Promise<T>): Promise<T> {
  try {
    return await context.database.transaction(work);
  } catch (error) {
    if (error instanceof LostRace || error instanceof TransactionConflict) throw fail('conflict', { what: `machine ${systemId}` });
    if (error instanceof UniqueViolation && error.constraint === 'operation_one_live') {
      const [guard] = await readGuards(context.database.db, [systemId]);
      throw (guard && busy(guard)) ?? fail('conflict', { what: `machine ${systemId}` });
    }
    throw error;
  }
}

export interface ActCall {
  readonly path: { readonly system_id: string };
  readonly caller: Asker;
}

/** Judge `action`, do `work` in a transaction, answer with the machine. */
export async function act(
  context: ApiContext,
  call: ActCall,
  action: Action,
  work: (tx: CellDb, guard: MachineGuard) => Promise<void>,
): Promise<MachineBody> {
  const guard = await guardOf(context, call.path.system_id);
  const refused = refuseAction(guard, action, call.caller);
  if (refused) throw refused;
  await changing(context, guard.system_id, async (tx) => {
    await work(tx, guard);
    context.killPoint(`api_${action}:after-effect`);
  });
  context.killPoint(`api_${action}:after-commit`);
  return machineBodyOf(context, guard.system_id);
}
