/** The cell's database: its own PostgreSQL or a given one, migrated, of the right cell, sealed with the right key, in the right epoch. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readMembership } from '../global/membership.ts';
import { globalMigrations } from '../global/migrations.ts';
import { checkServerVersion, openDatabase, type ConnectionOptions, type Database } from '../postgres/database.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../postgres/embedded-postgres.ts';
import { openEpoch, type Epoch } from '../postgres/epoch-file.ts';
import { feedMigrations } from '../postgres/feed.ts';
import { migrate, type MigrationSet } from '../postgres/migrations.ts';
import type { CellConfig } from './config.ts';
import { claimDatabase, ensureDomain, ensureRackSubnet, numberOfDatabase } from './db/cell-identity.ts';
import { parkEverything } from './db/epoch-store.ts';
import type { CellTables } from './db/schema.ts';
import type { SecretKey } from './db/secret-key.ts';

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
          }),
        )
      : undefined;
  await embedded?.ensureDatabase('cell');
  const where: ConnectionOptions = embedded ? { ...embedded.address, name: 'cell' } : { connectionString: config.database_url ?? '' };
  const database = stack.use(openDatabase<CellTables>({ ...where, applicationName: `muster cell ${config.name}`, maxConnections: 12 }));
  await checkServerVersion(database);
  const applied = await migrate(database.connection, migrationsOfCell);
  if (applied.length > 0) log.info({ migrations: applied }, 'the database was migrated');
  const number =
    config.number ??
    (await readMembership(config.folder))?.number ??
    (await numberOfDatabase(database.db)) ??
    1 + Math.floor(Math.random() * 13_823);
  await claimDatabase(database.db, { number, name: config.name, keyFingerprint: key.fingerprint });
  const epoch = stack.use(
    await openEpoch(database, {
      file: join(config.folder, 'epoch'),
      onRestored: parkEverything,
      onTrouble: (error) => log.warn({ err: error }, 'the epoch file could not be renewed'),
    }),
  );
  await ensureDomain(database.db, `${config.name}.${config.site}`);
  for (const one of config.rack) await database.transaction((tx) => ensureRackSubnet(tx, one.address, config.dhcp));
  const owned = stack.move();
  return { database, number, epoch, embedded, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
