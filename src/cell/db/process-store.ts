/** The processes of the cell as rows: who lives, where, what files and DHCP reservations each has. Heartbeats are the database's time. */
import { sql } from 'kysely';
import { wakesFollowers } from '../../postgres/wake-after-commit.ts';
import type { CellDb } from './cell-db.ts';

/** What a process tells of itself when it starts. */
export interface ProcessFacts {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly serviceAddresses: readonly string[];
  readonly port: number;
  readonly version: string;
  readonly servesDhcp: boolean;
  readonly servesTftp: boolean;
  readonly cpuCount: number;
  /** MiB. */
  readonly memory: number;
  readonly architecture: string;
}

export interface ProcessRow {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly address: string;
  readonly service_addresses: readonly string[];
  readonly port: number;
  readonly version: string;
  readonly incarnation: number;
  readonly serves_dhcp: boolean;
  readonly serves_tftp: boolean;
  readonly cpu_count: number;
  readonly memory: number;
  readonly architecture: string;
  /** Its heartbeat is younger than {@link liveWithin}. */
  readonly live: boolean;
  /** It ended well. */
  readonly ended: boolean;
  /** Seconds since its last heartbeat. */
  readonly silent: number;
}

/** Seconds. A heartbeat comes every second; five missed ones and others go on with its work. All that they write is fenced. */
const liveWithin = 5;
/** Hours until a dead process' row goes away. */
const forgottenAfter = 24;

/** How a lease says whose it is. A lease of a process that does not live, or of an earlier start of one that does, is nobody's. */
export function leaseOwner(process: Pick<ProcessRow, 'id' | 'incarnation'>): string {
  return `process ${process.id}:${process.incarnation}`;
}

const lives = (prefix: '' | 'p.') =>
  sql`(${sql.raw(prefix)}ended is null and ${sql.raw(prefix)}heartbeat > now() - ${liveWithin} * interval '1 second')`;

/** True in SQL when the owner in this column is a process that is gone. Owners of another form are never taken for dead. */
export function ownerIsGone(column: string) {
  return sql`(${sql.raw(column)} like 'process %' and not exists (
    select from cell_process p where 'process ' || p.id || ':' || p.incarnation = ${sql.raw(column)}
      and ${lives('p.')}))`;
}

/** Write the row of a process that starts: a new one gets the lowest free slot, a known one keeps its own and counts one start more. */
export async function registerProcess(tx: CellDb, facts: ProcessFacts): Promise<ProcessRow> {
  // Two first starts at once must not draw the same slot.
  await sql`lock table cell_process in share row exclusive mode`.execute(tx);
  await sql`
    insert into cell_process as p (id, slot, name, address, service_addresses, port, version, serves_dhcp, serves_tftp, cpu_count, memory, architecture)
    select ${facts.id}::uuid, (select min(n) from generate_series(0, (select count(*) from cell_process)) n
                               where n not in (select slot from cell_process)),
           ${facts.name}, ${facts.address}, ${facts.serviceAddresses as string[]}::text[], ${facts.port}, ${facts.version},
           ${facts.servesDhcp}, ${facts.servesTftp}, ${facts.cpuCount}, ${facts.memory}, ${facts.architecture}
    on conflict (id) do update
    set name = excluded.name, address = excluded.address, service_addresses = excluded.service_addresses, port = excluded.port,
        version = excluded.version, serves_dhcp = excluded.serves_dhcp, serves_tftp = excluded.serves_tftp, cpu_count = excluded.cpu_count,
        memory = excluded.memory, architecture = excluded.architecture, incarnation = p.incarnation + 1, started = now(), heartbeat = now(), ended = null`.execute(
    tx,
  );
  // What its folder and its Kea have is found out afresh.
  await sql`delete from cell_process_dhcp where process_id = ${facts.id}::uuid`.execute(tx);
  await sql`delete from cell_process_image where process_id = ${facts.id}::uuid`.execute(tx);
  const rows = await readProcesses(tx);
  const own = rows.find((row) => row.id === facts.id);
  if (!own) throw new Error('the row of this process was not written');
  return own;
}

/** All of them, in the order of their slots. */
export async function readProcesses(db: CellDb): Promise<ProcessRow[]> {
  const { rows } = await sql<ProcessRow>`
    select id, slot, name, address, service_addresses, port, version, incarnation, serves_dhcp, serves_tftp, cpu_count, memory, architecture,
           ${lives('')} as live, ended is not null as ended, extract(epoch from now() - heartbeat)::float8 as silent
    from cell_process order by slot`.execute(db);
  return rows;
}

/**
 * Renew the row of a process and forget those that have been dead for long.
 * @returns the ids of the others that live; undefined when there is no row of this start any more, so that its leases are nobody's
 */
export async function beat(db: CellDb, process: Pick<ProcessRow, 'id' | 'incarnation'>): Promise<string[] | undefined> {
  const { rows } = await sql<{ id: string; own: boolean }>`
    with own as (update cell_process set heartbeat = now() where id = ${process.id}::uuid and incarnation = ${process.incarnation} returning id),
         gone as (delete from cell_process where heartbeat < now() - ${forgottenAfter} * interval '1 hour' and id <> ${process.id}::uuid)
    select id, true as own from own
    union all
    select id, false from cell_process where id <> ${process.id}::uuid and ${lives('')}`.execute(db);
  return rows.some((row) => row.own) ? rows.filter((row) => !row.own).map((row) => row.id) : undefined;
}

/** The process ended well: nobody waits for it. */
export async function endProcess(db: CellDb, process: Pick<ProcessRow, 'id' | 'incarnation'>): Promise<void> {
  await sql`update cell_process set ended = now() where id = ${process.id}::uuid and incarnation = ${process.incarnation}`.execute(db);
}

/** Forget a process that does not live. @returns false when it lives, or there is none. */
export async function forgetProcess(tx: CellDb, slot: number): Promise<boolean> {
  const gone = await sql`delete from cell_process where slot = ${slot} and not ${lives('')}`.execute(tx);
  return gone.numAffectedRows === 1n;
}

/** The digests of the files that the process in this slot has. */
export async function imagesOf(db: CellDb, slot: number): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ sha256: string }>`
    select i.sha256 from cell_process_image i join cell_process p on p.id = i.process_id where p.slot = ${slot}`.execute(db);
  return new Set(rows.map((row) => row.sha256));
}

/** The newest heartbeat of any other process, in seconds since 1970; undefined when there is none within the last minute. */
export async function lastHeartbeat(db: CellDb, ownId: string): Promise<number | undefined> {
  const { rows } = await sql<{ at: number | null }>`
    select extract(epoch from max(heartbeat))::float8 as at from cell_process
    where id <> ${ownId}::uuid and heartbeat > now() - interval '1 minute'`.execute(db);
  return rows[0]?.at ?? undefined;
}

/** Say which files of the catalogue this process has: all of them, in one statement. */
export async function saveImages(db: CellDb, processId: string, digests: readonly string[]): Promise<void> {
  await sql`
    with gone as (delete from cell_process_image where process_id = ${processId}::uuid and sha256 <> all (${digests as string[]}::text[]))
    insert into cell_process_image (process_id, sha256)
    select ${processId}::uuid, unnest(${digests as string[]}::text[]) on conflict do nothing`.execute(db);
}

/** Which other live processes lack a file. */
export async function processesWithout(db: CellDb, ownId: string, sha256: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select p.name from cell_process p
    where p.id <> ${ownId}::uuid and ${lives('p.')}
      and not exists (select from cell_process_image i where i.process_id = p.id and i.sha256 = ${sha256})`.execute(db);
  return rows.map((row) => row.name);
}

/** Other live processes that have a file. */
export async function processesWith(db: CellDb, ownId: string, sha256: string): Promise<{ address: string; port: number }[]> {
  const { rows } = await sql<{ address: string; port: number }>`
    select p.address, p.port from cell_process p join cell_process_image i on i.process_id = p.id
    where p.id <> ${ownId}::uuid and i.sha256 = ${sha256} and ${lives('p.')} order by p.slot`.execute(db);
  return rows;
}

/** What live operations want and what other live processes have, as far as it is not among `have`. */
export async function imagesToFetch(db: CellDb, ownId: string, have: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ sha256: string }>`
    select sha256 from (
      select i.sha256 from cell_process_image i join cell_process p on p.id = i.process_id
      where p.id <> ${ownId}::uuid and ${lives('p.')}
      union
      select m.image->>'sha256' from operation o join machine m using (system_id)
      where o.outcome = 'live' and o.kind = 'deploy' and m.image is not null) wanted
    where sha256 <> all (${have as string[]}::text[])`.execute(db);
  return rows.map((row) => row.sha256);
}

/** Say which machines the DHCP of this process names now. */
export async function saveDhcpNames(db: CellDb, processId: string, systemIds: readonly string[]): Promise<void> {
  await sql`
    with gone as (delete from cell_process_dhcp where process_id = ${processId}::uuid and system_id <> all (${systemIds as string[]}::text[]))
    insert into cell_process_dhcp (process_id, system_id)
    select ${processId}::uuid, unnest(${systemIds as string[]}::text[]) on conflict do nothing`.execute(db);
}

/** Do live processes that serve DHCP name this machine? `all` is true and `some` false when none serves DHCP. */
export async function dhcpNames(db: CellDb, systemId: string): Promise<{ readonly all: boolean; readonly some: boolean }> {
  const { rows } = await sql<{ all: boolean; some: boolean }>`
    select coalesce(bool_and(named), true) as all, coalesce(bool_or(named), false) as some from (
      select exists (select from cell_process_dhcp d where d.process_id = p.id and d.system_id = ${systemId}) as named
      from cell_process p where p.serves_dhcp and ${lives('p.')}) serving`.execute(db);
  return rows[0] ?? { all: true, some: false };
}

/** Have the workers of all processes look for what is due. */
export async function wakeWorkers(db: CellDb): Promise<void> {
  await sql`select 1 ${sql.raw(wakesFollowers)}`.execute(db);
}
