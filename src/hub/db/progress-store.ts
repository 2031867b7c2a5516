/** How far connected cells and fronts have applied the feed, shared by all processes of the hub. */
import { sql } from 'kysely';
import type { Revision, Stream } from '../../global/revision.ts';
import type { HubDb, Role } from './hub-tables.ts';

/** What processes of the hub listen to for acknowledgements. */
export const progressChannel = 'muster_progress';
/** Seconds after its last poll began that a process counts as connected: a poll waits at most 20. */
const connectedSeconds = 30;

export interface Poller {
  readonly role: Role;
  readonly name: string;
  readonly process: string;
}

export interface Progress {
  readonly role: Role;
  readonly name: string;
  readonly version: string;
  readonly access: Revision;
  readonly config: Revision;
  readonly seen: Date;
}

/** Note that a process asked for what comes after `applied`: so it has that. Wakes writers that wait for it. Returns when, as text. */
export async function noteProgress(db: HubDb, poller: Poller, stream: Stream, applied: Revision, version: string): Promise<string> {
  const [epoch, n] = stream === 'access' ? [sql.ref('access_epoch'), sql.ref('access_n')] : [sql.ref('config_epoch'), sql.ref('config_n')];
  // One statement: this runs for every poll of every cell and front.
  const { rows } = await sql<{ seen: string }>`
    with noted as (
      insert into replica_progress (role, name, process, version, ${epoch}, ${n})
      values (${poller.role}, ${poller.name}, ${poller.process}, ${version}, ${applied.epoch}, ${applied.n})
      on conflict (role, name, process)
      do update set version = excluded.version, ${epoch} = excluded.${epoch}, ${n} = excluded.${n}, seen_at = now()
      returning seen_at::text as seen
    )
    select seen, pg_notify(${progressChannel}, '') from noted`.execute(db);
  return rows[0]?.seen ?? '';
}

/** A process that has begun no poll since the one of `seen` is not connected any more. What it had applied stays known. */
export async function noteGone(db: HubDb, { role, name, process }: Poller, seen: string): Promise<void> {
  await sql`
    with noted as (
      update replica_progress set seen_at = now() - make_interval(secs => ${connectedSeconds})
      where role = ${role} and name = ${name} and process = ${process} and seen_at = ${seen}::timestamptz
      returning 1
    )
    select pg_notify(${progressChannel}, '') from noted`.execute(db);
}

/** A cell or front that was retired is waited for by nobody. */
export async function forgetMember(db: HubDb, role: Role, name: string): Promise<void> {
  await db.deleteFrom('replica_progress').where('role', '=', role).where('name', '=', name).execute();
}

/**
 * Processes that have not applied `revision` yet: connected ones, and of `known` (ids of processes) those that were connected a moment ago.
 * In the order of their names.
 */
export async function readLagging(
  db: HubDb,
  stream: Stream,
  revision: Revision,
  known: readonly string[] = [],
): Promise<(Pick<Poller, 'name' | 'process'> & { readonly connected: boolean })[]> {
  const place = stream === 'access' ? sql`(access_epoch, access_n)` : sql`(config_epoch, config_n)`;
  const connected = sql`seen_at > now() - make_interval(secs => ${connectedSeconds})`;
  const { rows } = await sql<{ name: string; process: string; connected: boolean }>`
    select name, process, ${connected} as connected from replica_progress
    where (${connected} or process = any(${[...known]})) and ${place} < (${revision.epoch}::bigint, ${revision.n}::bigint)
    order by name`.execute(db);
  return rows;
}

/** Rows of processes that ended a day ago, but for the newest of each cell and front: that is how it was when it was last heard of. */
export async function dropOldProgress(db: HubDb): Promise<void> {
  await sql`
    delete from replica_progress as old
    where seen_at < now() - interval '1 day' and exists (
      select from replica_progress as newer
      where newer.role = old.role and newer.name = old.name and (newer.seen_at, newer.process) > (old.seen_at, old.process)
    )`.execute(db);
}

/** The latest that is known of each cell and front. */
export async function readProgress(db: HubDb): Promise<Progress[]> {
  const rows = await db.selectFrom('replica_progress').selectAll().orderBy('seen_at').execute();
  return rows.map((row) => ({
    role: row.role,
    name: row.name,
    version: row.version,
    access: { epoch: row.access_epoch, n: row.access_n },
    config: { epoch: row.config_epoch, n: row.config_n },
    seen: row.seen_at,
  }));
}
