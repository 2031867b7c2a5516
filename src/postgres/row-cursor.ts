/**
 * The rows of one statement a few at a time, for replies that are too long to be held whole: a portal that the server keeps open while its
 * rows are written out. A client that reads slowly would keep a connection for as long as it likes, so cursors have a few connections of their
 * own, and one that is waited for too long closes itself: whoever reads on begins another statement behind the last row.
 */
import pg from 'pg';
import Cursor from 'pg-cursor';
import { explainError } from './database-errors.ts';
import type { HangWatch } from './hang-watch.ts';

export interface RowCursor<Row> {
  /** False: it has been closed meanwhile, or all rows were read. */
  readonly isOpen: boolean;
  /** The next rows, at most so many; fewer are the last ones. Not while another call is under way. @throws what the statement does. */
  next(most: number): Promise<Row[]>;
  /** Gives the connection back. May be called at any time, and again. */
  close(): Promise<void>;
}

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface CursorLimits {
  /** Cursors that are open at once; who comes next gets none. Default 3. */
  readonly cursors?: number;
  /** How long a cursor may be open between its reads, in all, in ms. Default 2,000. */
  readonly idleMs?: number;
  /** How long it may be open at all, in ms: it holds back what VACUUM may clear. Default 20,000. */
  readonly openMs?: number;
}

export interface CursorPool {
  /** Undefined when all are in use: nobody waits for a slow reader. */
  open<Row>(statement: Statement): Promise<RowCursor<Row> | undefined>;
  end(): Promise<void>;
}

/** No connection is made before the first cursor. */
export function cursorPool(
  connection: pg.ClientConfig,
  { cursors = 3, idleMs = 2_000, openMs = 20_000 }: CursorLimits,
  { hangs, connectTimeoutMs }: { readonly hangs: HangWatch; readonly connectTimeoutMs: number },
): CursorPool {
  const pool = new pg.Pool({
    ...connection,
    application_name: `${connection.application_name ?? 'muster'} cursors`,
    max: cursors,
    idleTimeoutMillis: 5_000,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  pool.on('error', () => undefined);
  const ready = new WeakSet<pg.PoolClient>();
  let inUse = 0;

  async function connect(): Promise<pg.PoolClient> {
    const client = await pool.connect();
    if (ready.has(client)) return client;
    client.on('error', () => undefined);
    try {
      // The server's own limits are the last resort, should this process hang. One cursor is one transaction that writes nothing.
      await client.query(
        `select set_config(name, value, false) from pg_settings
         join (values ('statement_timeout', $1), ('transaction_timeout', $1), ('idle_in_transaction_session_timeout', $1),
                      ('default_transaction_read_only', 'on'), ('jit', 'off')) as wanted (name, value) using (name)`,
        [String(openMs + 10_000)],
      );
    } catch (error) {
      client.release(true);
      throw error;
    }
    ready.add(client);
    return client;
  }

  return {
    async open<Row>({ sql, parameters }: Statement) {
      if (inUse >= cursors) return undefined;
      inUse += 1;
      const client = await connect().catch((error: unknown) => {
        inUse -= 1;
        throw explainError(error);
      });
      const cursor = client.query(new Cursor<Row>(sql, [...parameters], connection.types === undefined ? {} : { types: connection.types }));
      const release = (broken: boolean): void => {
        inUse -= 1;
        client.release(broken);
      };
      return opened(cursor, client, { hangs, idleMs, openMs, release });
    },
    end: () => pool.end(),
  };
}

function opened<Row>(
  cursor: Cursor<Row>,
  client: pg.PoolClient,
  {
    hangs,
    idleMs,
    openMs,
    release,
  }: { readonly hangs: HangWatch; readonly idleMs: number; readonly openMs: number; readonly release: (broken: boolean) => void },
): RowCursor<Row> {
  const since = performance.now();
  let idleLeft = idleMs;
  let idleSince = since;
  let timer: NodeJS.Timeout | undefined;
  let isOpen = true;
  let reading: Promise<unknown> = Promise.resolve();
  // A connection that has ended never says that it is ready again.
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => undefined);
  const onEnd = (): void => reject(new Error('the connection has ended'));
  client.once('end', onEnd);

  async function close(): Promise<void> {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(timer);
    await reading.catch(() => undefined);
    // Whatever is left of the statement, the connection is only good again when the server says so.
    const answered = hangs.watch(client);
    const broken = await Promise.race([cursor.close(), ended]).then(
      () => false,
      () => true,
    );
    answered();
    client.off('end', onEnd);
    release(broken);
  }
  function closeLater(): void {
    timer = setTimeout(() => void close(), Math.max(0, Math.min(idleLeft, since + openMs - idleSince)));
  }
  closeLater();
  /** The connection is of no use any more. */
  function drop(): void {
    isOpen = false;
    release(true);
  }

  return {
    get isOpen() {
      return isOpen;
    },
    async next(most) {
      if (!isOpen) throw new Error('this cursor is closed');
      clearTimeout(timer);
      idleLeft -= performance.now() - idleSince;
      const answered = hangs.watch(client);
      const read = cursor.read(most);
      reading = read;
      let rows: Row[];
      try {
        rows = await read;
      } catch (error) {
        if (isOpen) drop();
        throw explainError(error);
      } finally {
        answered();
      }
      idleSince = performance.now();
      if (rows.length < most) await close();
      else if (isOpen) closeLater();
      return rows;
    },
    close,
  };
}
