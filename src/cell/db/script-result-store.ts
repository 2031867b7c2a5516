/** Results of scripts that ran on a machine. Numbers of types and states are MAAS's (maas-api.md §2.1). */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';
import { recordAll } from './event-store.ts';

export const scriptTypes = { commissioning: 0, installation: 1, testing: 2, release: 3, deployment: 4 } as const;
export const scriptStates = {
  pending: 0,
  running: 1,
  passed: 2,
  failed: 3,
  timed_out: 4,
  aborted: 5,
  degraded: 6,
  installing: 7,
  failed_installing: 8,
  skipped: 9,
} as const;

export interface PendingScript {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly status: number;
}

/** One row for each script that an operation is to run; scripts that have a row already are left alone. */
export async function planScripts(
  tx: CellDb,
  systemId: string,
  operationId: number,
  names: readonly string[],
  type: number,
): Promise<void> {
  await sql`
    insert into script_result (system_id, operation_id, name, type)
    select ${systemId}, ${operationId}, name, ${type} from unnest(${names as string[]}::text[]) as name
    where not exists (select from script_result r where r.operation_id = ${operationId} and r.name = name.name)`.execute(tx);
}

/** What an operation has still to run, in the order of the names. A script that was running when its boot died runs again. */
export async function unfinishedScripts(db: CellDb, operationId: number): Promise<PendingScript[]> {
  const { rows } = await sql<PendingScript>`
    select id, name, type, status from script_result where operation_id = ${operationId} and status in (0, 1, 7) order by name, id`.execute(
    db,
  );
  return rows;
}

export interface ScriptReport {
  readonly id: number;
  readonly status: number;
  readonly exitStatus: number | null;
  readonly runtime: string | null;
  readonly output: Buffer;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly result: Buffer;
}

/** The script that a result of this machine is of; undefined when it has no such result. */
export async function resultName(db: CellDb, systemId: string, id: number): Promise<string | undefined> {
  const row = await db.selectFrom('script_result').select('name').where('id', '=', id).where('system_id', '=', systemId).executeTakeFirst();
  return row?.name;
}

/** Started: from pending to running. */
export async function scriptStarted(tx: CellDb, systemId: string, id: number): Promise<void> {
  await sql`update script_result set status = 1, started = now() where id = ${id} and system_id = ${systemId} and status in (0, 1)`.execute(
    tx,
  );
}

/** Never to run: the scripts are not there any more. Those that have ended meanwhile are left alone. */
export async function skipScripts(tx: CellDb, systemId: string, scripts: readonly Pick<PendingScript, 'id'>[]): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    update script_result set status = ${scriptStates.skipped}, ended = now()
    where id = any (${scripts.map(({ id }) => id)}::bigint[]) and status in (0, 1, 7) returning name`.execute(tx);
  await recordAll(
    tx,
    rows.map(({ name }) => ({
      kind: 'script_result',
      systemId,
      description: `${name} is retired and was skipped`,
      data: { script: name },
    })),
  );
}

/**
 * Ended. Repeating the report is harmless while the operation that ran it lives; afterwards nothing is taken any more: what an administrator has
 * made of the machine since must not be undone by an old report. Returns the name of the script; undefined when there is no such result.
 */
export async function scriptEnded(tx: CellDb, systemId: string, report: ScriptReport): Promise<string | undefined> {
  const { rows } = await sql<{ name: string }>`
    with live as (
      select r.id from script_result r join operation o on o.id = r.operation_id
      where r.id = ${report.id} and r.system_id = ${systemId} and o.outcome = 'live' for share of o)
    update script_result s set status = ${report.status}, exit_status = ${report.exitStatus}, runtime = ${report.runtime},
      output = ${report.output}, stdout = ${report.stdout}, stderr = ${report.stderr}, result = ${report.result},
      started = coalesce(started, now()), ended = now()
    from live where s.id = live.id returning s.name`.execute(tx);
  return rows[0]?.name;
}
