/** The cell's database: its own PostgreSQL or a given one, migrated, of the right cell, sealed with the right key, in the right epoch. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readMembership } from '../global/membership.ts';
import { globalMigrations } from '../global/migrations.ts';
import { checkServerVersion, openDatabase, type ConnectionOptions, type Database } from '../postgres/database.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../postgres/embedded-postgres.ts';
import { openEpoch, type Epoch } from '../postgres/epoch-file.ts';
import { lockFolder } from '../postgres/folder-lock.ts';
import { feedMigrations } from '../postgres/feed.ts';
import { migrate, type MigrationSet } from '../postgres/migrations.ts';
import { PostgresFailure } from '../postgres/postgres-failure.ts';
import type { CellConfig } from './config.ts';
import { claimDatabase, ensureDomain, ensureRackSubnet, numberOfDatabase } from './db/cell-identity.ts';
import { parkEverything } from './db/epoch-store.ts';
import type { CellTables } from './db/schema.ts';
import type { SecretKey } from './db/secret-key.ts';
import { othersLive, processIdOf } from './process-registry.ts';
import { shareFiles } from './shared-files.ts';

export const cellMigrations: MigrationSet = { folder: new URL('./db/migrations/', import.meta.url), table: 'cell_migration' };
/** In the order in which they are applied. */
export const migrationsOfCell: readonly MigrationSet[] = [feedMigrations, globalMigrations, cellMigrations];

export interface CellDatabase extends AsyncDisposable {
  readonly database: Database<CellTables>;
  readonly number: number;
  readonly epoch: Epoch;
  /** The server, when it is ours. */
  readonly embedded: EmbeddedPostgres | undefined;
}

/** Open it. @throws PostgresFailure, MigrationRefused, WrongDatabase: each says what to do. */
export async function openCellDatabase(config: CellConfig, key: SecretKey, log: Logger): Promise<CellDatabase> {
  await using stack = new AsyncDisposableStack();
  const embedded =
    config.database_url === undefined
      ? stack.use(
          await startEmbeddedPostgres({
            folder: join(config.folder, 'postgres'),
            onExit: (event) => log.error({ pid: event.pid, restarted: event.restarted }, 'PostgreSQL ended'),
          }).catch(forSecondProcess),
        )
      : undefined;
  if (!embedded) {
    const lock = await lockFolder(config.folder).catch(forSecondProcess);
    stack.defer(() => lock.release());
  }
  await embedded?.ensureDatabase('cell');
  const where: ConnectionOptions = embedded ? { ...embedded.address, name: 'cell' } : { connectionString: config.database_url ?? '' };
  const database = stack.use(openDatabase<CellTables>({ ...where, applicationName: `muster cell ${config.name}`, maxConnections: 12 }));
  await checkServerVersion(database);
  const applied = await migrate(database.connection, migrationsOfCell);
  if (applied.length > 0) log.info({ migrations: applied }, 'the database was migrated');
  const known = config.number ?? (await readMembership(config.folder))?.number ?? (await numberOfDatabase(database.db));
  let number = known ?? 1 + Math.floor(Math.random() * 13_823);
  const claim = () => claimDatabase(database.db, { number, name: config.name, keyFingerprint: key.fingerprint });
  await claim().catch(async (error: unknown) => {
    if (known !== undefined) throw error;
    // Another first start over this database was quicker, and its number is the cell's.
    number = (await numberOfDatabase(database.db)) ?? number;
    await claim();
  });
  const processId = await processIdOf(config.folder);
  await shareFiles({ db: database.db, folder: config.folder, key }, () => othersLive(database.db, processId));
  const epoch = stack.use(
    await openEpoch(database, {
      file: join(config.folder, 'epoch'),
      trustMissing: async () => config.trust_database === true || (await othersLive(database.db, processId)),
      onRestored: parkEverything,
      onTrouble: (error) => log.warn({ err: error }, 'the epoch file could not be renewed'),
    }),
  );
  if (epoch.decision.kind === 'restored') log.error({ epoch: epoch.decision.epoch }, `a new epoch begins: ${epoch.decision.why}`);
  await ensureDomain(database.db, `${config.name}.${config.site}`);
  for (const one of config.rack) await database.transaction((tx) => ensureRackSubnet(tx, one.address, config.dhcp));
  const owned = stack.move();
  return { database, number, epoch, embedded, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Two processes in one data folder: what the operator meant is a second process of the cell. */
function forSecondProcess(error: unknown): never {
  if (!(error instanceof PostgresFailure) || error.code !== 'folder_locked') throw error;
  throw new PostgresFailure(
    'folder_locked',
    `${error.message} A second process of the same cell has a data folder of its own, a copy of secret.key, and database_url: both then run over one PostgreSQL.`,
    error,
  );
}
