// The embedded server: one private PostgreSQL in one data folder, for who has no DATABASE_URL.
//
// It locks the folder, makes it with initdb, starts the server (or adopts the one that survived our
// crash), watches it, starts it again when it dies, and stops it with us. It knows nothing of
// schemas; cells and hubs open databases in it through database.ts. Called by main and by tests.
// Why each choice: docs/decisions/0002-embedded-postgres.md.
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { prepareDataFolder, systemIdentifier } from './data-folder.ts';
import { lockFolder } from './folder-lock.ts';
import { adoptOrStart, findSurvivor, killPostgres, stopPostmaster, type Postmaster, type PostmasterPlan } from './postmaster.ts';
import { isAlive } from './process-identity.ts';
import { serverAccount } from './server-account.ts';
import { serverPrograms } from './server-programs.ts';
import { socketFolder } from './socket-folder.ts';

export type EmbeddedPostgresOptions = {
  /** Where the server keeps everything: `data/`, `lock/` and `server.log`. Made if missing. */
  readonly folder: string;
  /** Connections the server allows, all processes together. Default 30. */
  readonly maxConnections?: number;
  /** Off: a crash of the machine may lose the last commits. For tests only. Default true. */
  readonly synchronousCommit?: boolean;
  /** Told after each unexpected end of the server; it is started again with growing pauses. */
  readonly onExit?: (event: PostgresExit) => void;
};

/** The server ended though nobody asked it to. `failure` is set when starting it again failed. */
export type PostgresExit = { readonly pid: number; readonly restarted: boolean; readonly failure?: unknown };

/** What a client needs to reach the server; spread it into `openDatabase({ ...server.address, name })`. */
export type ServerAddress = { readonly host: string; readonly port: number; readonly user: string };

export type EmbeddedPostgres = AsyncDisposable & {
  readonly address: ServerAddress;
  /** The packaged version, such as `18.4.0-beta.17`. */
  readonly version: string;
  readonly systemIdentifier: string;
  /** The server process now (it changes when the server is started again). */
  pid(): number;
  /** Whether the server was already running when we came. */
  readonly adopted: boolean;
  /** Makes the database if there is none of that name. */
  ensureDatabase(name: string): Promise<void>;
  /** Stops the server (fast shutdown) and gives the folder back. */
  stop(): Promise<void>;
  /** kill -9 of the server and its children; it is then started again as after any other death. */
  kill(): void;
  /** Gives the folder back and leaves the server running, as our own kill -9 would. */
  abandon(): void;
};

const watchEveryMs = 250;
const restartPausesMs = [0, 200, 1_000, 5_000];

/** Starts (or adopts) the server of a data folder. Throws `PostgresFailure`. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  try {
    const { plan, version } = await planServer(folder, options);
    const postmaster = await adoptOrStart(plan).catch((error: unknown) => {
      rmSync(plan.socketFolder, { recursive: true, force: true });
      throw error;
    });
    return supervise(postmaster, plan, version, options, () => lock.release());
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Stops the server left behind in `folder` by a process that was killed, if there is one.
 * For sweeping up: a temporary data folder can be deleted after this. Throws `folder_locked` if in use.
 */
export async function stopSurvivor(folder: string): Promise<boolean> {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return false;
  const lock = await lockFolder(folder);
  try {
    const data = join(resolve(folder), 'data');
    const survivor = await findSurvivor(data);
    if (survivor === undefined) return false;
    await stopPostmaster(survivor.process, data);
    rmSync(survivor.file.socketFolder, { recursive: true, force: true });
    return true;
  } finally {
    lock.release();
  }
}

async function planServer(folder: string, options: EmbeddedPostgresOptions): Promise<{ plan: PostmasterPlan; version: string }> {
  const data = join(folder, 'data');
  const programs = await serverPrograms(join(folder, 'programs'));
  const account = serverAccount(data);
  await prepareDataFolder(data, programs, account);
  const settings = [
    `max_connections=${options.maxConnections ?? 30}`,
    `synchronous_commit=${options.synchronousCommit === false ? 'off' : 'on'}`,
    'shared_buffers=32MB',
    'io_method=sync',
    'jit=off',
    'log_checkpoints=off',
    'autovacuum_max_workers=2',
    'max_wal_size=256MB',
  ];
  const log = join(folder, 'server.log');
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 8 * 1024 * 1024) renameSync(log, `${log}.old`);
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([programs.version, settings]))
    .digest('hex')
    .slice(0, 32);
  const plan: PostmasterPlan = {
    program: join(programs.folder, 'bin/postgres'),
    data,
    log,
    account,
    settings,
    fingerprint,
    socketFolder: socketFolder(folder, account),
  };
  return { plan, version: programs.version };
}

function supervise(
  first: Postmaster,
  plan: PostmasterPlan,
  version: string,
  options: EmbeddedPostgresOptions,
  release: () => void,
): EmbeddedPostgres {
  let postmaster = first;
  let failures = 0;
  let reviving: Promise<void> | undefined;
  let over: Promise<void> | undefined;

  const revive = async (): Promise<void> => {
    const pid = postmaster.process.pid;
    await sleep(restartPausesMs[Math.min(failures, restartPausesMs.length - 1)], undefined, { ref: false });
    if (over !== undefined) return;
    try {
      postmaster = await adoptOrStart(plan);
      failures = 0;
      options.onExit?.({ pid, restarted: true });
    } catch (failure) {
      failures += 1;
      options.onExit?.({ pid, restarted: false, failure });
    }
  };
  const watch = setInterval(() => {
    if (reviving !== undefined || isAlive(postmaster.process) === true) return;
    reviving = revive().finally(() => (reviving = undefined));
  }, watchEveryMs);
  watch.unref();

  const stop = async (): Promise<void> => {
    clearInterval(watch);
    await reviving;
    await stopPostmaster(postmaster.process, plan.data);
    rmSync(postmaster.socketFolder, { recursive: true, force: true });
    release();
  };
  const address = { host: plan.socketFolder, port: 5432, user: 'muster' };
  const stopOnce = (): Promise<void> => (over ??= stop());
  return {
    address,
    version,
    systemIdentifier: systemIdentifier(plan.data),
    pid: () => postmaster.process.pid,
    adopted: first.adopted,
    ensureDatabase: (name) => ensureDatabase(address, name),
    stop: stopOnce,
    kill: () => killPostgres(plan.data),
    abandon: () => {
      over ??= Promise.resolve();
      clearInterval(watch);
      release();
    },
    [Symbol.asyncDispose]: stopOnce,
  };
}

async function ensureDatabase(address: ServerAddress, name: string): Promise<void> {
  const client = new pg.Client({ ...address, database: 'postgres' });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
