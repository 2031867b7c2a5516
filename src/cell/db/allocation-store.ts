/** Taking machines: matching and taking are one statement, so that no two callers ever get the same one. */
import { sql } from 'kysely';
import { lifecycle } from '../../contract/lifecycle.ts';
import { preparedOnce } from '../../postgres/prepared-statements.ts';
import { wakesFollowers } from '../../postgres/wake-after-commit.ts';
import type { CellDb } from './cell-db.ts';
import { recording, type CellEvent } from './event-store.ts';
import { allOf, arePlain, conditionSql, matchesSql, type MachineCondition } from './machine-filter.ts';

/** Written as the index `machine_allocatable` has it, or it would not be used. */
const free = sql.raw('m.status = 4 and m.owner is null and not m.locked');
const cost = sql.raw('m.cpu_count + m.memory / 1024.0');

/** Which of its disks and interfaces answer which label; `{}` where no labels were asked for. */
export interface Matched {
  readonly storage?: Readonly<Record<string, readonly (number | string)[]>>;
  readonly interfaces?: Readonly<Record<string, readonly number[]>>;
}

export interface Found {
  readonly system_id: string;
  readonly matched: Matched;
}

export interface Taking {
  readonly owner: string;
  readonly agentName: string;
  readonly comment: string;
  /** A claim is unconfirmed until `confirmClaim`. */
  readonly claim?: { readonly id: string; readonly seconds: number };
  readonly spread?: Grouping | undefined;
}

/** By which column machines are spread, and whose machines count. */
export interface Grouping {
  readonly by: 'zone' | 'pool';
  readonly owner: string;
  /** Only machines of this agent_name count; empty: all of the owner's. */
  readonly agentName: string;
}

const groupOf = { zone: sql.ref('zone_id'), pool: sql.ref('pool_id') };

/** The caller's machines in each zone or pool, as a table of (grp, n). */
function heldIn({ by, owner, agentName }: Grouping) {
  const named = agentName === '' ? sql`` : sql`and h.agent_name = ${agentName}`;
  return sql`(select h.${groupOf[by]} as grp, count(*) as n from machine h where h.owner = ${owner} ${named} group by 1)`;
}

/** What the order of taking needs besides the machine itself: a join, and what comes before the cost. */
function ordering(spread: Grouping | undefined) {
  if (spread === undefined) return { join: sql``, first: sql`` };
  return { join: sql`left join ${heldIn(spread)} held on held.grp = m.${groupOf[spread.by]}`, first: sql`coalesce(held.n, 0), ` };
}

/** Each text is prepared once for its values; what is written in a grammar has too many texts for that. */
const prepared = (conditions: readonly MachineCondition[]) => sql.raw(arePlain(conditions) ? preparedOnce : '');

const matchesOf = (conditions: readonly MachineCondition[]) => matchesSql(conditions) ?? sql`'{}'::jsonb`;

/** The cheapest free machine that meets the conditions; undefined when there is none. Nothing is taken. */
export async function cheapest(db: CellDb, conditions: readonly MachineCondition[], spread?: Grouping): Promise<Found | undefined> {
  const { join, first } = ordering(spread);
  const { rows } = await sql<Found>`
    select m.system_id, ${matchesOf(conditions)} as matched
    from machine m ${join} where ${free} and ${allOf(conditions)} order by ${first} ${cost}, m.system_id limit 1`.execute(db);
  return rows[0];
}

/**
 * A machine that others have changed between the look at its disks and interfaces and the lock on it is as it was seen only when its row is:
 * PostgreSQL tries a row that it had to wait for again, but what hangs on it as it was before.
 */
const asSeen = sql.raw('exists (select from machine seen where seen.system_id = m.system_id and seen.xmin = m.xmin offset 0)');

/**
 * Take the cheapest free machine that meets the conditions, and tell of it: one statement, so that it needs no transaction around it. Rows
 * that others hold are skipped; when nothing is left besides those, it waits for them, as a power reading holds a row, too; and looks once
 * more where disks and interfaces may have changed meanwhile.
 * @returns undefined when there is none.
 */
export async function takeCheapest(db: CellDb, conditions: readonly MachineCondition[], taking: Taking): Promise<Found | undefined> {
  const taken = (await take(db, conditions, taking, 'skip locked')) ?? (await take(db, conditions, taking, ''));
  return taken ?? (arePlain(conditions) ? undefined : take(db, conditions, taking, ''));
}

async function take(
  db: CellDb,
  conditions: readonly MachineCondition[],
  taking: Taking,
  locked: 'skip locked' | '',
): Promise<Found | undefined> {
  const { claim, owner, comment } = taking;
  const { join, first } = ordering(taking.spread);
  const noted =
    claim === undefined
      ? sql``
      : sql`, noted as (update claim c set system_id = t.system_id, matched = t.matched from found t where c.id = ${claim.id}::uuid)`;
  const matches = matchesSql(conditions);
  // Looked for in the one machine that was taken, as it was when it was chosen.
  const found =
    matches === undefined
      ? sql`select t.system_id, '{}'::jsonb as matched from taken t`
      : sql`select m.system_id, ${matches} as matched from taken t join machine m on m.system_id = t.system_id`;
  const { name, number } = lifecycle.allocated;
  const events: Omit<CellEvent, 'systemId'>[] = [
    { kind: 'machine_allocated', username: owner, description: `(${owner})${comment === '' ? '' : ` - ${comment}`}` },
    { kind: 'status_changed', username: owner, description: name, data: { status: number, status_name: name } },
  ];
  const { rows } = await sql<Found>`
    with best as (
      select m.system_id from machine m ${join} where ${free} and ${allOf(conditions)} ${arePlain(conditions) ? sql`` : sql`and ${asSeen}`}
      order by ${first} ${cost}, m.system_id limit 1 for update of m ${sql.raw(locked)}),
    taken as (
      update machine m
      set status = ${number}, previous_status = m.status, status_since = now(), status_message = '', owner = ${owner},
          agent_name = ${taking.agentName}, allocated_at = now(), generation = m.generation + 1, updated = now(),
          claim_id = ${claim?.id ?? null}::uuid,
          confirm_by = ${claim === undefined ? sql`null` : sql`clock_timestamp() + ${claim.seconds} * interval '1 second'`}
      from best where m.system_id = best.system_id
      returning m.system_id),
    found as materialized (${found}),
    told as (${recording('taken', events)})${noted}
    select system_id, matched from found ${sql.raw(wakesFollowers)} ${prepared(conditions)}`.execute(db);
  return rows[0];
}

export interface GroupRow {
  readonly id: number;
  readonly held: number;
  /** Of the cheapest match in it; null: there is none. */
  readonly cost: number | null;
}

/** The most zones or pools that one offer names. */
const mostGroups = 1_000;

/** What the caller holds in each zone or pool, and the cheapest match there; groups with a match first. One statement. */
export async function groups(db: CellDb, conditions: readonly MachineCondition[], spread: Grouping): Promise<GroupRow[]> {
  const { rows } = await sql<GroupRow>`
    with offered as (
      select m.${groupOf[spread.by]} as grp, min(${cost})::float8 as cost from machine m where ${free} and ${allOf(conditions)} group by 1)
    select coalesce(held.grp, offered.grp) as id, coalesce(held.n, 0) as held, offered.cost
    from ${heldIn(spread)} held full join offered on offered.grp = held.grp
    order by offered.cost is null, id limit ${mostGroups}`.execute(db);
  return rows;
}

/** How many machines somebody holds here; of one agent_name, unless it is empty. */
export async function heldBy(db: CellDb, owner: string, agentName: string): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    select count(*) as held from machine where owner = ${owner} and (${agentName} = '' or agent_name = ${agentName})`.execute(db);
  return rows[0]?.held ?? 0;
}

export interface Supply {
  readonly best: { readonly system_id: string; readonly cost: number } | null;
  readonly ready: number;
  readonly matching: number;
  /** Condition → how many free machines it alone rules out. */
  readonly ruledOut: Readonly<Record<string, number>>;
  /** Condition → how many would match without it. */
  readonly without: Readonly<Record<string, number>>;
}

/**
 * What there is, and what each condition rules out: one statement, which a front sends to many cells for each allocation. Each condition is
 * tried once at each free machine. The best is looked up by the index that allocation walks: sorted out of all that match, it took ten times
 * as long (4 ms of 2,000 machines, now 0.4).
 */
export async function supply(db: CellDb, conditions: readonly MachineCondition[]): Promise<Supply> {
  const met = conditions.map((_, at) => sql.ref(`t.met_${at}`));
  const all = (of: readonly (typeof met)[number][]) => sql.join([sql`true`, ...of], sql` and `);
  const counts = conditions.map(
    (_, at) => sql`, count(*) filter (where not ${met[at]}) as ${sql.ref(`out_${at}`)},
      count(*) filter (where ${all(met.filter((__, other) => other !== at))}) as ${sql.ref(`without_${at}`)}`,
  );
  const tried = conditions.map((condition, at) => sql`(${conditionSql(condition)}) as ${sql.ref(`met_${at}`)}`);
  const each = sql`(select ${sql.join([sql`m.system_id`, ...tried])} from machine m where ${free} offset 0) t`;
  const { rows } = await sql<{ ready: number; matching: number; best: string | null; cost: number | null } & Record<string, unknown>>`
    select c.*, b.system_id as best, b.cost
    from (select count(*) as ready, count(*) filter (where ${all(met)}) as matching ${sql.join(counts, sql` `)} from ${each}) c
    left join (select m.system_id, (${cost})::float8 as cost from machine m where ${free} and ${allOf(conditions)}
               order by ${cost}, m.system_id limit 1) b on true ${prepared(conditions)}`.execute(db);
  const [row] = rows;
  const counted = (what: 'out' | 'without') =>
    Object.fromEntries(conditions.map(({ name }, at) => [name, Number(row?.[`${what}_${at}`] ?? 0)]));
  return {
    best: typeof row?.best === 'string' ? { system_id: row.best, cost: row.cost ?? 0 } : null,
    ready: row?.ready ?? 0,
    matching: row?.matching ?? 0,
    ruledOut: counted('out'),
    without: counted('without'),
  };
}
