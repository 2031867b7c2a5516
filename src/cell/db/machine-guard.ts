/** What has to be known of a machine before anything is done to it, and the small guarded changes that are no operation. */
import { sql, type Updateable } from 'kysely';
import type { OperationKind } from '../../contract/operation.ts';
import { LostRace, type CellDb } from './cell-db.ts';
import { tellOfDevicesOn } from './device-store.ts';
import { closeBoots } from './operation-store.ts';
import { record } from './event-store.ts';
import { deleteUnusedBmcs } from './power-store.ts';
import type { MachineTable } from './schema.ts';

export interface MachineGuard {
  readonly system_id: string;
  readonly hostname: string;
  readonly status: number;
  readonly previous_status: number;
  readonly generation: number;
  readonly locked: boolean;
  readonly owner: string | null;
  readonly architecture: string;
  readonly power_type: string;
  readonly osystem: string;
  readonly operation: { readonly id: number; readonly kind: OperationKind; readonly step: string } | null;
  /** The state that its last test or rescue came from. */
  readonly origin: number | null;
  readonly was_commissioned: boolean;
}

/** Of each of these machines that is there, in the order of their ids: one statement. */
export async function readGuards(db: CellDb, ids: readonly string[]): Promise<MachineGuard[]> {
  const { rows } = await sql<MachineGuard>`
    select m.system_id, m.hostname, m.status, m.previous_status, m.generation, m.locked, m.owner, m.architecture, m.power_type, m.osystem,
           (select to_json(o) from (select id, kind, step from operation where system_id = m.system_id and outcome = 'live') o) as operation,
           (select (memory->>'origin')::int from operation
            where system_id = m.system_id and kind in ('test', 'rescue') order by id desc limit 1) as origin,
           exists (select from operation where system_id = m.system_id and kind = 'commission' and outcome = 'done') as was_commissioned
    from machine m where m.system_id = any (${ids as string[]}::text[]) order by m.system_id`.execute(db);
  return rows;
}

/**
 * Change columns of a machine that is still what it was when it was judged. State changes go through `setStatus`.
 * @throws LostRace when it is not.
 */
export async function changeMachine(
  tx: CellDb,
  guard: Pick<MachineGuard, 'system_id' | 'generation'>,
  set: Updateable<MachineTable>,
): Promise<void> {
  const done = await tx
    .updateTable('machine')
    .set({ ...set, generation: sql<number>`generation + 1`, updated: sql<Date>`now()` })
    .where('system_id', '=', guard.system_id)
    .where('generation', '=', guard.generation)
    .executeTakeFirst();
  if (done.numUpdatedRows !== 1n) throw new LostRace(`machine ${guard.system_id} changed at the same moment`);
}

/**
 * End the live operation of a machine at once, because what is asked for now leaves no room for it. Its worker, wherever it is, finds its
 * fence gone; its tickets are void and its unsent power verbs closed.
 */
export async function cutOperation(tx: CellDb, systemId: string, reason: string): Promise<void> {
  const { rows } = await sql<{ id: number; kind: OperationKind }>`
    update operation set outcome = 'aborted', error = ${reason}, step = 'finish', note = '', ended = now(), fence = fence + 1,
           lease_until = null, lease_owner = null, waits_for_hands = false
    where system_id = ${systemId} and outcome = 'live' returning id, kind`.execute(tx);
  const [cut] = rows;
  if (!cut) return;
  await tx.insertInto('operation_step').values({ operation_id: cut.id, step: 'aborted', detail: reason }).execute();
  await closeBoots(tx, systemId, cut.id, reason);
  await record(tx, {
    kind: 'operation_aborted',
    systemId,
    description: `${cut.kind} aborted: ${reason}`,
    data: { operation: cut.id, kind: cut.kind },
  });
}

/** Merge keys into one of a machine's dictionaries; keys with an empty value are removed. @throws LostRace when the machine is gone. */
export async function mergeKeys(
  tx: CellDb,
  systemId: string,
  column: 'owner_data' | 'workload_annotations',
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const removed = Object.keys(given).filter((key) => given[key] === '');
  const done = await sql`
    update machine set ${sql.ref(column)} = (${sql.ref(column)} || ${JSON.stringify(kept)}::jsonb) - ${removed}::text[], updated = now()
    where system_id = ${systemId}`.execute(tx);
  if (done.numAffectedRows !== 1n) throw new LostRace(`machine ${systemId} is gone`);
}

/** Forget a machine that is still what it was when it was judged, and BMCs that no machine has any more. @throws LostRace */
export async function deleteMachine(tx: CellDb, guard: MachineGuard, by: string): Promise<void> {
  await sql`select from machine where system_id = ${guard.system_id} for update`.execute(tx);
  await tellOfDevicesOn(tx, guard.system_id, by);
  const gone = await sql`
    delete from machine m where system_id = ${guard.system_id} and generation = ${guard.generation} and not locked
      and not exists (select from operation o where o.system_id = m.system_id and o.outcome = 'live')`.execute(tx);
  if (gone.numAffectedRows !== 1n) throw new LostRace(`machine ${guard.system_id} changed at the same moment`);
  await deleteUnusedBmcs(tx);
  await record(tx, { kind: 'machine_deleted', systemId: guard.system_id, username: by, description: guard.hostname });
}

/** The domain with this name or id; undefined when there is none here. */
export async function findDomain(db: CellDb, nameOrId: string): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    select id from domain where name = ${nameOrId} or id::text = ${nameOrId} order by (name = ${nameOrId}) desc limit 1`.execute(db);
  return rows[0]?.id;
}

/** The VLAN that a machine's boot interface is taken to be on when nobody says: the only one with DHCP, else the only one there is. */
export async function likelyVlan(db: CellDb): Promise<number | null> {
  const { rows } = await sql<{ id: number; dhcp_on: boolean }>`select id, dhcp_on from vlan order by dhcp_on desc, id limit 2`.execute(db);
  const [first, second] = rows;
  if (!first) return null;
  return second === undefined || (first.dhcp_on && !second.dhcp_on) ? first.id : null;
}
