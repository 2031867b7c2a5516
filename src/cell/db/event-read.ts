/** Reading events as MAAS lists them, and what the stream shows of the machines that they are about. */
import { sql } from 'kysely';
import type { CellDb } from './cell-db.ts';

export interface EventRow {
  readonly id: number;
  readonly created: Date;
  readonly type: string;
  readonly level: number;
  readonly system_id: string | null;
  readonly hostname: string | null;
  readonly username: string | null;
  readonly description: string;
}

export interface EventFilter {
  readonly machines?: readonly string[];
  readonly hostnames?: readonly string[];
  readonly macs?: readonly string[];
  readonly zones?: readonly number[];
  readonly domains?: readonly string[];
  readonly agentNames?: readonly string[];
  readonly usernames?: readonly string[];
  /** This level and above; `only` leaves out all others. */
  readonly level: number;
  readonly only?: boolean;
  readonly without?: number;
  readonly before?: number;
  readonly after?: number;
}

const texts = (values: readonly string[]) => sql`${values as string[]}::text[]`;

/** At most `limit` events, newest first; with `after`, those that come next after it. One statement. */
export async function readEvents(db: CellDb, filter: EventFilter, limit: number): Promise<EventRow[]> {
  const conditions = [
    filter.only === true ? sql`e.level = ${filter.level}` : sql`e.level >= ${filter.level}`,
    ...(filter.without === undefined ? [] : [sql`e.level <> ${filter.without}`]),
    ...(filter.before === undefined ? [] : [sql`e.id < ${filter.before}`]),
    ...(filter.after === undefined ? [] : [sql`e.id > ${filter.after}`]),
    ...(filter.machines === undefined ? [] : [sql`e.system_id = any (${texts(filter.machines)})`]),
    ...(filter.usernames === undefined ? [] : [sql`e.username = any (${texts(filter.usernames)})`]),
    ...(filter.hostnames === undefined
      ? []
      : [sql`lower(n.hostname) = any (${texts(filter.hostnames.map((name) => name.toLowerCase()))})`]),
    ...(filter.agentNames === undefined ? [] : [sql`m.agent_name = any (${texts(filter.agentNames)})`]),
    ...(filter.zones === undefined
      ? []
      : [
          sql`coalesce(m.zone_id, (select d.zone_id from device d where d.system_id = e.system_id)) = any (${filter.zones as number[]}::bigint[])`,
        ]),
    ...(filter.domains === undefined ? [] : [sql`n.domain_id in (select id from domain where name = any (${texts(filter.domains)}))`]),
    ...(filter.macs === undefined
      ? []
      : [
          sql`e.system_id in (select system_id from interface where mac = any (${texts(filter.macs.map((mac) => mac.toLowerCase().replaceAll('-', ':')))}))`,
        ]),
  ];
  const { rows } = await sql<EventRow>`
    select e.id, e.created, e.type, e.level, e.system_id, n.hostname, e.username, e.description
    from event e left join node n on n.system_id = e.system_id left join machine m on m.system_id = e.system_id
    where ${sql.join(conditions, sql` and `)}
    order by e.id ${sql.raw(filter.after === undefined ? 'desc' : 'asc')} limit ${limit}`.execute(db);
  return filter.after === undefined ? rows : rows.toReversed();
}

/** Host names of these machines and devices by their ids. */
export async function hostnames(db: CellDb, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ system_id: string; hostname: string }>`
    select system_id, hostname from node where system_id = any (${texts(ids)}) and hostname is not null`.execute(db);
  return new Map(rows.map((row) => [row.system_id, row.hostname]));
}
