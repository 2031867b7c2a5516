import { sql, type QueryExecutorProvider } from 'kysely';

/** How far readers are behind writers, and who holds them back. */
export type FeedLag = {
  /** Age of the oldest committed event that may not be read yet; 0 when there is none. */
  readonly seconds: number;
  readonly heldBack: number;
  /** The oldest open transaction that has written, if any; it may be in another database of the cluster. */
  readonly writer: { readonly pid: number; readonly application: string; readonly seconds: number } | undefined;
};

/** For metrics and the alarm: a lag of seconds means that some transaction stays open. */
export async function feedLag(db: QueryExecutorProvider): Promise<FeedLag> {
  const { rows } = await sql<{
    seconds: number;
    held: number;
    pid: number | null;
    application: string | null;
    open: number | null;
  }>`
    select late.seconds, late.held, writer.pid, writer.application, writer.open
    from (
      select coalesce(extract(epoch from clock_timestamp() - min(created)), 0)::float8 as seconds, count(*)::int as held
      from feed join event using (epoch)
      where xid >= pg_snapshot_xmin(pg_current_snapshot())
    ) as late
    left join lateral (
      select pid, application_name as application, extract(epoch from clock_timestamp() - xact_start)::float8 as open
      from pg_stat_activity where backend_xid is not null order by xact_start limit 1
    ) as writer on true`.execute(db);
  const row = rows[0];
  return {
    seconds: Math.max(0, row?.seconds ?? 0),
    heldBack: row?.held ?? 0,
    writer:
      row === undefined || row.pid === null
        ? undefined
        : { pid: row.pid, application: row.application ?? '', seconds: Math.max(0, row.open ?? 0) },
  };
}

/**
 * Removes up to `limit` events older than `olderThanSeconds`, in feed order, and remembers how far.
 * The newest event always stays: the epoch file compares with its id. Returns how many went.
 */
export async function trimFeed(db: QueryExecutorProvider, olderThanSeconds: number, limit: number): Promise<number> {
  const { rows } = await sql<{ removed: number }>`
    with doomed as (
      select event.epoch, xid, id
      from event, feed
      where created < clock_timestamp() - make_interval(secs => ${olderThanSeconds}::float8)
        and id < (select max(id) from event)
        and (event.epoch < feed.epoch or xid < pg_snapshot_xmin(pg_current_snapshot()))
      order by event.epoch, xid, id
      limit ${limit}
    ), removed as (
      delete from event using doomed where event.id = doomed.id
      returning event.epoch, event.xid, event.id
    ), last as (
      select epoch, xid, id from removed order by epoch desc, xid desc, id desc limit 1
    ), noted as (
      update feed set trimmed_epoch = last.epoch, trimmed_xid = last.xid, trimmed_id = last.id
      from last
      where (last.epoch, last.xid, last.id) > (feed.trimmed_epoch, feed.trimmed_xid, feed.trimmed_id)
    )
    select count(*)::int as removed from removed`.execute(db);
  return rows[0]?.removed ?? 0;
}
