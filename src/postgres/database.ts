import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql, type PostgresPoolClient, type RawBuilder, type Transaction } from 'kysely';
import pg from 'pg';
import { feedChannel, wakeSender, wakeTracker } from './wake-after-commit.ts';
import { DatabaseAway, explainError, TransactionConflict } from './database-errors.ts';
import { hangWatch, type HangWatch } from './hang-watch.ts';
import { statementNames } from './prepared-statements.ts';
import { cursorPool, type CursorLimits, type RowCursor } from './row-cursor.ts';

export type DatabaseOptions = ConnectionOptions & {
  /** Shown in pg_stat_activity: `cell c17`. */
  readonly applicationName: string;
  /** The most connections this pool ever opens; further callers wait. Default 8. */
  readonly maxConnections?: number;
  /** How long a caller waits for a connection, in ms. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** The longest one statement may take, in ms. Default 20,000. */
  readonly statementTimeoutMs?: number;
  /** The longest a transaction may stay open: an open one holds the event feed back. Default 10,000 (PostgreSQL ≥ 17). */
  readonly transactionTimeoutMs?: number;
  readonly cursors?: CursorLimits;
};

interface Counted {
  /** Begin, commit and rollback apart. */
  readonly statements: string[];
  transactions: number;
}

/** Either a URL (`DATABASE_URL`) or an embedded server's address with a database's name. */
export type ConnectionOptions =
  | { readonly connectionString: string }
  | { readonly host: string; readonly port: number; readonly user: string; readonly name: string };

export type TransactionOptions = {
  /** Only for work that may run again from its start: it has no effect outside the database. */
  readonly retryable?: boolean;
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
};

/** One pool on one database. Query with `db`; a store function takes `db` first, which may be a transaction. */
export type Database<Schema> = AsyncDisposable & {
  readonly db: Kysely<Schema>;
  /** For connections outside the pool: LISTEN and migrations. */
  readonly connection: pg.ClientConfig;
  /** Commits when `work` resolves, rolls back when it throws. Retries conflicts up to three times if `retryable`. */
  transaction<T>(work: (tx: Transaction<Schema>) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * The rows of a statement that only reads, a few at a time, on a connection apart from the pool. Undefined: all that there may be are in
   * use.
   */
  openCursor<Row>(query: RawBuilder<Row>): Promise<RowCursor<Row> | undefined>;
  /** Runs `work` and returns the SQL of each statement it sent, and how many transactions it began, for tests of constant cost. */
  countStatements<T>(work: () => Promise<T>): Promise<Counted & { value: T }>;
  close(): Promise<void>;
};

/**
 * Opens a pool. Nothing is connected yet: the first statement says `DatabaseAway` if there is no server.
 * `int8` is a number when it is a safe integer (all our ids are), else a bigint; `timestamptz` is a Date.
 */
export function openDatabase<Schema>(options: DatabaseOptions): Database<Schema> {
  const connection = clientConfig(options);
  const pool = new pg.Pool({
    ...connection,
    max: options.maxConnections ?? 8,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    // The last resort, for statements that nobody watches: the server's own limit has passed long ago.
    query_timeout: (options.statementTimeoutMs ?? 20_000) + 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  const hangs = hangWatch(connection);
  // An idle connection that breaks is only dropped; whoever queries next is told.
  pool.on('error', () => undefined);
  // One that breaks while in use rejects its query; without a listener it would end the process too.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const counter = new AsyncLocalStorage<Counted>();
  const wake = wakeSender(() => pool.query('select pg_notify($1, $2)', [feedChannel, '']));
  const nameOf = statementNames();
  const db = new Kysely<Schema>({
    dialect: new PostgresDialect({
      pool: {
        connect: async () => watched(await pool.connect().catch(rethrow), { counter, wake, nameOf, hangs }, options),
        end: () => pool.end(),
        options: pool.options,
      },
    }),
  });
  const cursors = cursorPool(connection, options.cursors ?? {}, { hangs, connectTimeoutMs: options.connectTimeoutMs ?? 5_000 });
  let cursorsEnded: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await (cursorsEnded ??= cursors.end());
    if (!pool.ending) await db.destroy();
    if (!pool.ending) await pool.end();
  };
  return {
    db,
    connection,
    transaction: (work, how) => transact(db, work, how),
    openCursor: async <Row>(query: RawBuilder<Row>) => {
      const statement = query.compile(db);
      const cursor = await cursors.open<Row>(statement);
      if (cursor) count(counter.getStore(), statement.sql);
      return cursor;
    },
    countStatements: async (work) => {
      const counted: Counted = { statements: [], transactions: 0 };
      const value = await counter.run(counted, work);
      return { ...counted, value };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A value for a jsonb column: pg alone would send an array as a PostgreSQL array. */
export function jsonb<T>(value: T): RawBuilder<T> {
  return sql<T>`${JSON.stringify(value)}::jsonb`;
}

/** The server's version as a number (`180004`). Throws when it is older than 15, the oldest we run on. */
export async function checkServerVersion<Schema>(database: Database<Schema>): Promise<number> {
  const { rows } = await sql<{ version: number }>`
    select current_setting('server_version_num')::int as version`.execute(database.db);
  const version = rows[0]?.version ?? 0;
  if (version >= 150_000) return version;
  throw new Error(`The PostgreSQL server is version ${Math.floor(version / 10_000)}; Muster needs 15 or newer.`);
}

async function transact<Schema, T>(
  db: Kysely<Schema>,
  work: (tx: Transaction<Schema>) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const builder = db.transaction();
      return await (options.isolation === undefined ? builder : builder.setIsolationLevel(options.isolation)).execute(work);
    } catch (error) {
      if (options.retryable !== true || !(error instanceof TransactionConflict) || attempt > 3) throw error;
      await sleep(5 * 2 ** attempt * Math.random());
    }
  }
}

function clientConfig(options: DatabaseOptions): pg.ClientConfig {
  return {
    ...('connectionString' in options
      ? { connectionString: options.connectionString }
      : { host: options.host, port: options.port, user: options.user, database: options.name }),
    application_name: options.applicationName,
    types: { getTypeParser },
  };
}

/** set_config over pg_settings: transaction_timeout exists only since 17, and elsewhere no row matches. */
async function setLimits(client: pg.PoolClient, options: DatabaseOptions): Promise<void> {
  const transaction = String(options.transactionTimeoutMs ?? 10_000);
  const statement = String(options.statementTimeoutMs ?? 20_000);
  await client.query(
    `select set_config(name, value, false)
     from pg_settings
     join (values ('statement_timeout', $1),
                  ('idle_in_transaction_session_timeout', $2),
                  ('transaction_timeout', $2)) as wanted (name, value) using (name)`,
    [statement, transaction],
  );
}

const int8 = 20;
const int8Array = 1016;

/** Not pg.types.setTypeParser: that is one table for the whole process. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (format !== 'binary' && oid === int8) return parseInt8;
  if (format !== 'binary' && oid === int8Array) {
    const parse = pg.types.getTypeParser(oid as number, 'text') as (text: string) => unknown;
    return (text) => {
      const values = parse(text);
      return Array.isArray(values) ? values.map((value: unknown) => (typeof value === 'string' ? parseInt8(value) : value)) : values;
    };
  }
  return pg.types.getTypeParser(oid, format ?? 'text') as (text: string) => unknown;
}

function parseInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

const wrappers = new WeakMap<pg.PoolClient, PostgresPoolClient>();

/** The client as Kysely sees it: limits set, errors explained, statements counted. One wrapper a client, as Kysely keys on it. */
async function watched(
  client: pg.PoolClient,
  {
    counter,
    wake,
    nameOf,
    hangs,
  }: { counter: AsyncLocalStorage<Counted>; wake: () => void; nameOf: (text: string) => string | undefined; hangs: HangWatch },
  options: DatabaseOptions,
): Promise<PostgresPoolClient> {
  const known = wrappers.get(client);
  if (known !== undefined) return known;
  const limited = hangs.watch(client);
  try {
    await setLimits(client, options);
  } catch (error) {
    client.release(true);
    return rethrow(error);
  } finally {
    limited();
  }
  const succeeded = wakeTracker(wake);
  // A FATAL error arrives before the socket's end: until then the pool would hand the client out again.
  let broken = false;
  // What the server said when it cut an idle transaction off; the next statement only finds a dead socket.
  let cut: unknown;
  client.on('error', (error) => (cut ??= explainError(error)));
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    count(counter.getStore(), text);
    const answered = hangs.watch(client);
    try {
      const name = nameOf(text);
      const result: unknown = await client.query(name === undefined ? { text, values: [...values] } : { name, text, values: [...values] });
      succeeded(text);
      return result;
    } catch (error) {
      const explained = explainError(error);
      const fatal = error instanceof pg.DatabaseError && error.severity === 'FATAL';
      broken ||= fatal || explained instanceof DatabaseAway;
      throw broken ? (cut ?? explained) : explained;
    } finally {
      answered();
    }
  };
  const release = (destroy?: boolean): void => client.release(broken || destroy);
  const wrapper = { query, release } as PostgresPoolClient;
  wrappers.set(client, wrapper);
  return wrapper;
}

function count(counted: Counted | undefined, text: string): void {
  if (counted === undefined) return;
  if (/^(begin|start transaction)\b/.test(text)) counted.transactions += 1;
  else if (!/^(commit|rollback)\b/.test(text)) counted.statements.push(text);
}

function rethrow(error: unknown): never {
  throw explainError(error);
}
