/** What scripts found out, as lists show it. A result set is what one operation ran of one type; its id is the lowest of its results. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface ScriptResultRow {
  readonly id: number;
  readonly system_id: string;
  readonly operation_id: number;
  /** Of the set that it belongs to: the lowest id in it. */
  readonly set_id: number;
  readonly name: string;
  readonly type: number;
  readonly status: number;
  readonly exit_status: number | null;
  readonly created: Date;
  readonly started: Date | null;
  readonly ended: Date | null;
  readonly runtime: string | null;
  readonly suppressed: boolean;
  /** Empty unless asked for. */
  readonly output: Buffer;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly result: Buffer;
}

export interface ResultFilter {
  readonly type?: number;
  readonly setId?: number;
  readonly names?: readonly string[];
  readonly withOutput: boolean;
}

/** All results of one machine, newest run first, each run in the order of its scripts: one statement. */
export async function readResults(db: CellDb, systemId: string, filter: ResultFilter): Promise<ScriptResultRow[]> {
  const { type = null, setId = null, names = null } = filter;
  const texts = filter.withOutput
    ? sql`output, stdout, stderr, result`
    : sql`''::bytea as output, ''::bytea as stdout, ''::bytea as stderr, ''::bytea as result`;
  const { rows } = await sql<ScriptResultRow>`
    select id, system_id, operation_id, set_id, name, type, status, exit_status, created, started, ended, runtime, suppressed, ${texts}
    from (select r.*, min(id) over (partition by operation_id, type) as set_id from script_result r
          where system_id = ${systemId} and operation_id is not null) r
    where (${type}::int is null or type = ${type}) and (${setId}::bigint is null or set_id = ${setId})
      and (${names as string[] | null}::text[] is null or name = any (${names as string[] | null}::text[]))
    order by operation_id desc, type, id`.execute(db);
  return rows;
}

/** Is there such a machine? Tells an empty list from an unknown machine. */
export async function machineExists(db: CellDb, systemId: string): Promise<boolean> {
  return (await db.selectFrom('machine').select('system_id').where('system_id', '=', systemId).executeTakeFirst()) !== undefined;
}

/** The id of the newest result set of a type on a machine. */
export async function newestSet(db: CellDb, systemId: string, type: number): Promise<number | undefined> {
  const { rows } = await sql<{ set_id: number | null }>`
    select min(id) as set_id from script_result where system_id = ${systemId} and type = ${type} and operation_id = (
      select max(operation_id) from script_result where system_id = ${systemId} and type = ${type})`.execute(db);
  return rows[0]?.set_id ?? undefined;
}

/** A result by itself, of whichever set. */
export type OutputRow = Omit<ScriptResultRow, 'set_id'>;

export interface OutputFilter {
  readonly systemIds?: readonly string[];
  readonly names?: readonly string[];
  readonly type?: number;
}

/** A page of finished results of all machines with their output, by id, behind `after`. */
export async function readOutputs(db: CellDb, filter: OutputFilter, after: number, limit: number): Promise<OutputRow[]> {
  const { systemIds = null, names = null, type = null } = filter;
  const { rows } = await sql<OutputRow>`
    select id, system_id, operation_id, name, type, status, exit_status, created, started, ended, runtime, suppressed, output, stdout, stderr, result
    from script_result
    where id > ${after} and ended is not null and (${type}::int is null or type = ${type})
      and (${systemIds as string[] | null}::text[] is null or system_id = any (${systemIds as string[] | null}::text[]))
      and (${names as string[] | null}::text[] is null or name = any (${names as string[] | null}::text[]))
    order by id limit ${limit}`.execute(db);
  return rows;
}

/** Say whether these results count; returns the names of those that it was not so of before. */
export async function suppressResults(tx: CellDb, ids: readonly number[], suppressed: boolean): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    update script_result set suppressed = ${suppressed}
    where id = any (${ids as number[]}::bigint[]) and suppressed <> ${suppressed} returning name`.execute(tx);
  return rows.map((row) => row.name);
}

/** Delete one type of results of an operation, unless it is still going on: then its scripts would never have an end. */
export async function deleteResults(tx: CellDb, systemId: string, operationId: number, type: number): Promise<'live' | 'deleted'> {
  const { rows } = await sql<{ outcome: string }>`select outcome from operation where id = ${operationId} for share`.execute(tx);
  if (rows[0]?.outcome === 'live') return 'live';
  await sql`delete from script_result where system_id = ${systemId} and operation_id = ${operationId} and type = ${type}`.execute(tx);
  return 'deleted';
}
