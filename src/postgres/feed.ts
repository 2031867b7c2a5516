// The event feed: every committed change, once, in an order that readers can resume from.
//
// A sequence becomes visible out of commit order, so "id > last" skips rows of slower transactions.
// Here the order is (epoch, transaction id, id), and rows of the current epoch are read only below
// pg_snapshot_xmin: no transaction below it can still commit. An open write transaction anywhere in
// the cluster therefore holds the feed back (feedLag says how long); it never makes it skip.
// Architecture §10. Who writes calls appendEvents inside the transaction that makes the change.
import { sql, type Generated, type QueryExecutorProvider, type RawBuilder } from 'kysely';
import { encodeCursor, feedStart, misfit, type FeedCursor, type ResetReason } from './feed-cursor.ts';
import type { MigrationSet } from './migrations.ts';
import { wakesFollowers } from './wake-after-commit.ts';

/** To be applied before the room's own: `migrate(connection, [feedMigrations, cellMigrations])`. */
export const feedMigrations: MigrationSet = {
  folder: new URL('./migrations/', import.meta.url),
  table: 'feed_migration',
};

/** For Kysely schemas of databases that have the feed. `xid` is text there. */
export type FeedSchema = {
  event: {
    id: Generated<number>;
    epoch: number;
    xid: Generated<string>;
    created: Generated<Date>;
    type: string;
    level: number;
    system_id: string | null;
    username: string | null;
    description: Generated<string>;
    data: unknown;
  };
};

export type NewEvent = {
  readonly type: string;
  /** Python's logging levels, as in MAAS: 10 debug, 20 info, 30 warning, 40 error, 50 critical. */
  readonly level: number;
  readonly systemId?: string | undefined;
  readonly username?: string | undefined;
  readonly description?: string | undefined;
  readonly data?: unknown;
};

export type FeedEvent = {
  readonly id: number;
  /** Of this event: resuming from it gives the next one. */
  readonly cursor: string;
  readonly created: Date;
  readonly type: string;
  readonly level: number;
  readonly systemId: string | null;
  readonly username: string | null;
  readonly description: string;
  readonly data: unknown;
};

/**
 * `events`: what comes after the cursor, in order, and the cursor to go on from.
 * `reset`: the cursor fits no longer; read a snapshot of what you follow, then go on from `cursor`,
 * which was taken before it.
 */
export type FeedPage =
  | { readonly kind: 'events'; readonly events: FeedEvent[]; readonly cursor: FeedCursor; readonly heldBack: boolean }
  | { readonly kind: 'reset'; readonly reason: ResetReason; readonly cursor: FeedCursor };

/** Appends events in one statement, in the given order, and wakes followers after the commit (database.ts). Returns their ids. */
export async function appendEvents(tx: QueryExecutorProvider, events: readonly NewEvent[]): Promise<number[]> {
  if (events.length === 0) return [];
  const { rows: result } = await sql<{ ids: number[] }>`
    with inserted as (
      insert into event (epoch, type, level, system_id, username, description, data)
      select feed.epoch, ${given} from feed, ${unfolded(events)} order by n
      returning id
    )
    select array_agg(id order by id) as ids from inserted ${sql.raw(wakesFollowers)}`.execute(tx);
  return result[0]?.ids ?? [];
}

/**
 * The same as a part of a statement that makes the change itself: one round trip less, and no transaction of several statements around it.
 * Each event is appended for each row of `changed`, a part of that statement that returns `system_id`. To be used as
 * `with changed as (update … returning system_id), told as (${appendingEvents('changed', events)}) select … ${sql.raw(wakesFollowers)}`.
 */
export function appendingEvents(changed: string, events: readonly Omit<NewEvent, 'systemId'>[]): RawBuilder<unknown> {
  return sql`
    insert into event (epoch, type, level, system_id, username, description, data)
    select feed.epoch, e->>'type', (e->>'level')::smallint, c.system_id, e->>'username', e->>'description', nullif(e->'data', 'null'::jsonb)
    from feed, ${sql.table(changed)} c, ${unfolded(events)} order by c.system_id, n`;
}

const given = sql.raw(
  `e->>'type', (e->>'level')::smallint, e->>'system_id', e->>'username', e->>'description', nullif(e->'data', 'null'::jsonb)`,
);

function unfolded(events: readonly NewEvent[]): RawBuilder<unknown> {
  const rows = events.map((event) => ({
    type: event.type,
    level: event.level,
    system_id: event.systemId ?? null,
    username: event.username ?? null,
    description: event.description ?? '',
    data: event.data ?? null,
  }));
  return sql`jsonb_array_elements(${JSON.stringify(rows)}::jsonb) with ordinality as given (e, n)`;
}

type Row = {
  feed_epoch: number;
  trimmed_epoch: number;
  trimmed_xid: string;
  trimmed_id: number;
  horizon: string;
  held_back: boolean;
  end_xid: string | null;
  end_id: number | null;
  id: number | null;
  epoch: number;
  xid: string;
  created: Date;
  type: string;
  level: number;
  system_id: string | null;
  username: string | null;
  description: string;
  data: unknown;
};

/** Reads up to `limit` events after the cursor (from the oldest kept one without). One statement, so one snapshot. */
export async function readFeed(db: QueryExecutorProvider, cursor: FeedCursor | undefined, limit: number): Promise<FeedPage> {
  const after = cursor ?? feedStart;
  const { rows } = await sql<Row>`
    with state as (select *, pg_snapshot_xmin(pg_current_snapshot()) as horizon from feed)
    select state.epoch as feed_epoch, trimmed_epoch, trimmed_xid::text, trimmed_id, state.horizon::text as horizon,
           exists (select from event where epoch = state.epoch and xid >= state.horizon) as held_back,
           ending.xid::text as end_xid, ending.id as end_id, page.*
    from state
    left join lateral (
      select xid, id from event where epoch = ${after.epoch}::int and epoch < state.epoch order by xid desc, id desc limit 1
    ) as ending on true
    left join lateral (
      select id, epoch, xid::text, created, type, level, system_id, username, description, data
      from event
      where (epoch, event.xid, id) > (${after.epoch}::int, ${String(after.xid)}::xid8, ${after.id}::bigint)
        and (epoch < state.epoch or (epoch = state.epoch and event.xid < state.horizon))
      order by epoch, event.xid, id
      limit ${limit}
    ) as page on true
    order by page.epoch, page.xid::xid8, page.id`.execute(db);
  const state = rows[0];
  if (state === undefined) throw new Error('The table "feed" has no row: the feed migration is missing.');
  const horizon = BigInt(state.horizon);
  const reason =
    cursor === undefined
      ? undefined
      : misfit(cursor, {
          epoch: state.feed_epoch,
          trimmed: { epoch: state.trimmed_epoch, xid: BigInt(state.trimmed_xid), id: state.trimmed_id },
          horizon,
          endOfCursorEpoch:
            state.end_xid === null || state.end_id === null
              ? undefined
              : { epoch: after.epoch, xid: BigInt(state.end_xid), id: state.end_id },
        });
  if (reason !== undefined) return { kind: 'reset', reason, cursor: head(state.feed_epoch, horizon) };
  const events = rows.flatMap((row) => (row.id === null ? [] : [toEvent(row, row.id)]));
  const last = rows.at(-1);
  const next = last === undefined || last.id === null ? after : { epoch: last.epoch, xid: BigInt(last.xid), id: last.id };
  return { kind: 'events', events, cursor: next, heldBack: state.held_back };
}

/** The cursor behind all that is readable now: take it first, then a snapshot of the tables, then follow. */
export async function readHead(db: QueryExecutorProvider): Promise<FeedCursor> {
  const { rows } = await sql<{ epoch: number; horizon: string }>`
    select epoch, pg_snapshot_xmin(pg_current_snapshot())::text as horizon from feed`.execute(db);
  if (rows[0] === undefined) throw new Error('The table "feed" has no row: the feed migration is missing.');
  return head(rows[0].epoch, BigInt(rows[0].horizon));
}

function head(epoch: number, horizon: bigint): FeedCursor {
  return { epoch, xid: horizon - 1n, id: Number.MAX_SAFE_INTEGER };
}

function toEvent(row: Row, id: number): FeedEvent {
  return {
    id,
    cursor: encodeCursor({ epoch: row.epoch, xid: BigInt(row.xid), id }),
    created: row.created,
    type: row.type,
    level: row.level,
    systemId: row.system_id,
    username: row.username,
    description: row.description,
    data: row.data,
  };
}
