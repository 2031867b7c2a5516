/** Changes of many machines in a few statements, however many they are. The same rules as for one: guarded by what was judged, or not at all. */
import { sql } from 'kysely';
import { lifecycle } from '../../contract/lifecycle.ts';
import { operations, planVersion, type OperationKind } from '../../contract/operation.ts';
import { LostRace, type CellDb } from './cell-db.ts';
import { recordAll, type CellEvent } from './event-store.ts';
import type { MachineGuard } from './machine-guard.ts';
import { closeBootsOf, givesBack } from './operation-store.ts';

type Judged = Pick<MachineGuard, 'system_id' | 'generation' | 'status'>;

export interface NewOperations {
  readonly kind: OperationKind;
  readonly machines: readonly Judged[];
  readonly by: string;
  /** The bulk call that begins them; undefined for MAAS's own calls. */
  readonly bulk: string | undefined;
  readonly parameters: Record<string, unknown>;
  /** Keep the state that each comes from, and forget its last error. */
  readonly remembers: boolean;
  /** What each has to run: name and type. */
  readonly scripts?: readonly { readonly name: string; readonly type: number }[];
  /** The event of each besides the change of state. */
  readonly event: (systemId: string, operation: number) => CellEvent;
}

/**
 * Start an operation on each of these machines, in the caller's transaction: three statements. Returns their ids by machine.
 * @throws LostRace when one is not what it was when it was judged.
 */
export async function startOperations(tx: CellDb, wanted: NewOperations): Promise<Map<string, number>> {
  const { kind, machines, by, bulk, parameters, remembers, scripts = [] } = wanted;
  if (machines.length === 0) return new Map();
  const rule = operations[kind];
  const to = lifecycle[rule.during];
  const { rows } = await sql<{ id: number; system_id: string }>`
    with wanted as (
      select * from unnest(${machines.map((one) => one.system_id)}::text[], ${machines.map((one) => one.generation)}::bigint[],
                           ${machines.map((one) => one.status)}::integer[]) as w (system_id, generation, status)),
    held as (
      select m.system_id from machine m join wanted w using (system_id)
      where m.generation = w.generation and m.status = w.status order by m.system_id for update of m),
    changed as (
      update machine m set status = ${to.number}, previous_status = m.status, status_since = now(), status_message = '',
             error_description = case when ${remembers}::boolean then '' else error_description end,
             claim_id = case when ${givesBack(kind)}::boolean then null else claim_id end,
             confirm_by = case when ${givesBack(kind)}::boolean then null else confirm_by end, generation = m.generation + 1, updated = now()
      from held where m.system_id = held.system_id returning m.system_id, m.previous_status)
    insert into operation (system_id, kind, plan_version, requested_by, bulk, parameters, memory, deadline)
    select system_id, ${kind}, ${planVersion}, ${by}, ${bulk ?? null}, ${JSON.stringify(parameters)}::jsonb,
           case when ${remembers}::boolean then jsonb_build_object('origin', previous_status) else '{}'::jsonb end,
           now() + ${rule.within} * interval '1 second'
    from changed order by system_id returning id, system_id`.execute(tx);
  if (rows.length !== machines.length) throw new LostRace(`${machines.length - rows.length} machines changed at the same moment`);
  if (scripts.length > 0)
    await sql`
      insert into script_result (system_id, operation_id, name, type)
      select o.system_id, o.id, s.name, s.type
      from unnest(${rows.map((row) => row.system_id)}::text[], ${rows.map((row) => row.id)}::bigint[]) as o (system_id, id),
           unnest(${scripts.map((script) => script.name)}::text[], ${scripts.map((script) => script.type)}::smallint[]) as s (name, type)`.execute(
      tx,
    );
  const changed = (systemId: string): CellEvent => ({
    kind: 'status_changed',
    systemId,
    username: by,
    description: to.name,
    data: { status: to.number, status_name: to.name },
  });
  await recordAll(
    tx,
    rows.flatMap((row) => [changed(row.system_id), wanted.event(row.system_id, row.id)]),
  );
  return new Map(rows.map((row) => [row.system_id, row.id]));
}

export interface Begun {
  readonly id: number;
  readonly kind: OperationKind;
}

/**
 * The operations that the bulk calls of this name and user have begun already on these machines, whatever has become of them. Where there are
 * several of one machine, one of `kinds`.
 */
export async function begunBy(
  db: CellDb,
  wanted: { readonly bulk: string; readonly by: string; readonly kinds: readonly OperationKind[] },
  ids: readonly string[],
): Promise<Map<string, Begun>> {
  const { rows } = await sql<Begun & { system_id: string }>`
    select distinct on (system_id) id, kind, system_id from operation
    where bulk = ${wanted.bulk} and requested_by = ${wanted.by} and system_id = any (${ids as string[]}::text[])
    order by system_id, kind = any (${wanted.kinds as OperationKind[]}::text[]) desc, id desc`.execute(db);
  return new Map(rows.map(({ system_id, id, kind }) => [system_id, { id, kind }]));
}

/** Hold the live operations of these machines: their workers wait, and what is read now stays true. Operations before machines, as everywhere. */
export async function holdOperations(tx: CellDb, ids: readonly string[]): Promise<void> {
  await sql`select id from operation where system_id = any (${ids as string[]}::text[]) and outcome = 'live' order by id for update`.execute(
    tx,
  );
}

/** `cutOperation` for many machines: five statements, or one where nothing lives. */
export async function cutOperations(tx: CellDb, ids: readonly string[], reason: string): Promise<void> {
  const { rows } = await sql<{ id: number; kind: OperationKind; system_id: string }>`
    update operation set outcome = 'aborted', error = ${reason}, step = 'finish', note = '', ended = now(), fence = fence + 1,
           lease_until = null, lease_owner = null, waits_for_hands = false
    where system_id = any (${ids as string[]}::text[]) and outcome = 'live' returning id, kind, system_id`.execute(tx);
  if (rows.length === 0) return;
  const operationIds = rows.map((row) => row.id);
  await sql`insert into operation_step (operation_id, step, detail)
            select id, 'aborted', ${reason} from unnest(${operationIds}::bigint[]) as o (id)`.execute(tx);
  await closeBootsOf(
    tx,
    rows.map((row) => row.system_id),
    operationIds,
    reason,
  );
  await recordAll(
    tx,
    rows.map(({ id, kind, system_id }) => ({
      kind: 'operation_aborted',
      systemId: system_id,
      description: `${kind} aborted: ${reason}`,
      data: { operation: id, kind },
    })),
  );
}

/** Put machines into a zone or pool if they are what they were when they were judged. @throws LostRace when one is not. */
export async function placeMachines(tx: CellDb, machines: readonly Judged[], column: 'zone_id' | 'pool_id', value: number): Promise<void> {
  const done = await sql`
    with held as (
      select m.system_id from machine m
      join unnest(${machines.map((one) => one.system_id)}::text[], ${machines.map((one) => one.generation)}::bigint[]) as w (system_id, generation)
        on m.system_id = w.system_id and m.generation = w.generation
      order by m.system_id for update of m)
    update machine m set ${sql.ref(column)} = ${value}, generation = m.generation + 1, updated = now()
    from held where m.system_id = held.system_id`.execute(tx);
  if (done.numAffectedRows !== BigInt(machines.length)) throw new LostRace('a machine changed at the same moment');
}
