// Test databases: one embedded PostgreSQL for a whole vitest run, one cloned database for each test file.
//
// vitest's globalSetup names this file; it calls setup() and teardown(). A test file says
//   const database = await testDatabase<Schema>([feedMigrations, cellMigrations]);
//   afterAll(() => database.drop());
// Cloning a migrated template takes about 40 ms where migrating takes seconds. Without globalSetup (one file
// run by hand) the first call starts a server of its own.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase, type Database, type DatabaseOptions } from '../src/postgres/database.ts';
import { startEmbeddedPostgres, type ServerAddress } from '../src/postgres/embedded-postgres.ts';
import { migrate, readMigrations, type MigrationSet } from '../src/postgres/migrations.ts';

/** A database of one test file, ready to use; `drop()` closes it and removes it. */
export type TestDatabase<Schema> = Database<Schema> & {
  readonly name: string;
  /** For a second pool on the same database: `openDatabase({ ...address, applicationName })`. */
  readonly address: ServerAddress & { readonly name: string };
  /** What `DATABASE_URL` would say, for code that takes one. */
  readonly url: string;
  drop(): Promise<void>;
};

type TestServer = { readonly address: ServerAddress; pid(): number; stop(): Promise<void> };

const variable = 'MUSTER_TEST_POSTGRES';
let server: Promise<TestServer> | undefined;

/** vitest globalSetup: starts the server of this run. It is called once for every project; the first one's server is everybody's. */
export async function setup(): Promise<void> {
  if (process.env[variable] !== undefined) return;
  const { address } = await (server ??= startTestServer());
  process.env[variable] = JSON.stringify(address);
}

/** vitest globalSetup: stops it and removes its data. */
export async function teardown(): Promise<void> {
  if (server === undefined) return;
  delete process.env[variable];
  await (await server).stop();
  server = undefined;
}

/**
 * A server in a temporary folder that does not outlive this process: a small watcher holds a pipe
 * from us, and at its end (Ctrl-C, kill -9) kills the server and removes the folder.
 */
export async function startTestServer(maxConnections = 150, synchronousCommit = false): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-test-pg-'));
  const embedded = await startEmbeddedPostgres({ folder, maxConnections, synchronousCommit });
  const watcher = spawn(
    '/bin/sh',
    ['-c', 'trap "" INT TERM; cat >/dev/null; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2" "$3"'].concat(
      'watch',
      String(embedded.pid()),
      folder,
      embedded.address.host,
    ),
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  watcher.unref();
  if ('unref' in watcher.stdin && typeof watcher.stdin.unref === 'function') watcher.stdin.unref();
  return {
    address: embedded.address,
    pid: () => embedded.pid(),
    stop: async () => {
      await embedded.stop();
      watcher.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A fresh database with these migrations applied (none: an empty one), cloned from a template made once a run. */
export async function testDatabase<Schema>(
  sets: readonly MigrationSet[] = [],
  options: Omit<Partial<DatabaseOptions>, 'connectionString'> = {},
): Promise<TestDatabase<Schema>> {
  const server = await serverAddress();
  const template = await ensureTemplate(server, sets);
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await asAdmin(server, (admin) => admin.query(`create database ${name} template ${template}`));
  const address = { ...server, name };
  const database = openDatabase<Schema>({ applicationName: 'test', maxConnections: 5, ...options, ...address });
  const drop = async (): Promise<void> => {
    await database.close();
    await asAdmin(server, (admin) => admin.query(`drop database if exists ${name} with (force)`));
  };
  const url = `postgres://${server.user}@${encodeURIComponent(server.host)}:${server.port}/${name}`;
  return { ...database, name, address, url, drop, [Symbol.asyncDispose]: drop };
}

async function serverAddress(): Promise<ServerAddress> {
  const told = process.env[variable];
  if (told !== undefined) return JSON.parse(told) as ServerAddress;
  return (await (server ??= startTestServer())).address;
}

/** The template is named by what its migrations say, so that an edited file makes another one. */
async function ensureTemplate(server: ServerAddress, sets: readonly MigrationSet[]): Promise<string> {
  if (sets.length === 0) return 'template0';
  const content = sets.map((set) => [set.table, readMigrations(set.folder).map((file) => [file.name, file.checksum])]);
  const hash = createHash('sha256').update(JSON.stringify(content)).digest();
  const name = `template_${hash.toString('hex').slice(0, 20)}`;
  await asAdmin(server, async (admin) => {
    // One test file makes it, the others wait for the lock.
    await admin.query('select pg_advisory_lock($1)', [hash.readInt32BE()]);
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 1) return;
    const draft = `draft_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${draft} template template0`);
    await migrate({ ...server, database: draft }, sets);
    await admin.query(`alter database ${draft} rename to ${name}`);
  });
  return name;
}

async function asAdmin<T>(server: ServerAddress, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ ...server, database: 'postgres' });
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}
