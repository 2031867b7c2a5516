/** A machine's state changes by one guarded statement and its event, or not at all. */
import { sql } from 'kysely';
import { lifecycle, type MachineState } from '../../contract/lifecycle.ts';
import { LostRace, type CellDb } from './cell-db.ts';
import type { MachineTable } from './schema.ts';
import { record } from './event-store.ts';
import type { Updateable } from 'kysely';

export interface StatusChange {
  readonly systemId: string;
  readonly from: readonly MachineState[];
  /** Only when the row is still of this generation; left out: whatever generation has the state. */
  readonly generation?: number;
  readonly set?: Updateable<MachineTable>;
  readonly message?: string;
  readonly by?: string;
}

/** @throws LostRace when the machine is gone, in another state, or of another generation. */
export async function setStatus(tx: CellDb, change: StatusChange & { readonly to: MachineState }): Promise<void> {
  const to = lifecycle[change.to];
  let update = tx
    .updateTable('machine')
    .set({
      ...change.set,
      status: to.number,
      previous_status: sql<number>`status`,
      status_since: sql<Date>`now()`,
      status_message: change.message ?? '',
      generation: sql<number>`generation + 1`,
      updated: sql<Date>`now()`,
    })
    .where('system_id', '=', change.systemId)
    .where(
      'status',
      'in',
      change.from.map((state) => lifecycle[state].number),
    );
  if (change.generation !== undefined) update = update.where('generation', '=', change.generation);
  const done = await update.executeTakeFirst();
  if (done.numUpdatedRows !== 1n) throw new LostRace(`machine ${change.systemId} changed at the same moment`);
  await record(tx, {
    kind: 'status_changed',
    systemId: change.systemId,
    ...(change.by === undefined ? {} : { username: change.by }),
    description: change.message ? `${to.name}: ${change.message}` : to.name,
    data: { status: to.number, status_name: to.name },
  });
}

/** Nothing of an owner stays on a machine that becomes nobody's: goes into `set` of such a change. */
export const nobodys = {
  owner: null,
  agent_name: '',
  allocated_at: null,
  claim_id: null,
  confirm_by: null,
  osystem: '',
  distro_series: '',
  image: null,
  user_data: null,
  ephemeral: false,
  owner_data: '{}',
  workload_annotations: '{}',
} as const;
