/** The hub's database: its own PostgreSQL or a given one, migrated, in the right epoch. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { beginEpoch } from '../global/authority.ts';
import { globalMigrations } from '../global/migrations.ts';
import { checkServerVersion, openDatabase, type ConnectionOptions, type Database } from '../postgres/database.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../postgres/embedded-postgres.ts';
import { openEpoch, type Epoch } from '../postgres/epoch-file.ts';
import { feedMigrations } from '../postgres/feed.ts';
import { migrate, type MigrationSet } from '../postgres/migrations.ts';
import type { HubConfig } from './config.ts';
import { openRevisionMark, type RevisionMark } from './revision-mark.ts';
import { asGlobalTransaction, type HubTables } from './db/hub-tables.ts';

export const hubMigrations: MigrationSet = { folder: new URL('./db/migrations/', import.meta.url), table: 'hub_migration' };
/** In the order in which they are applied. */
export const migrationsOfHub: readonly MigrationSet[] = [feedMigrations, globalMigrations, hubMigrations];

export interface HubDatabase extends AsyncDisposable {
  readonly database: Database<HubTables>;
  readonly epoch: Epoch;
  readonly mark: RevisionMark;
  /** The server, when it is ours. */
  readonly embedded: EmbeddedPostgres | undefined;
}

/** Open it. @throws PostgresFailure, MigrationRefused: each says what to do. */
export async function openHubDatabase(config: HubConfig, log: Logger): Promise<HubDatabase> {
  await using stack = new AsyncDisposableStack();
  const onExit = ({ pid, restarted }: { pid: number; restarted: boolean }) => log.error({ pid, restarted }, 'PostgreSQL ended');
  const embedded =
    config.database_url === undefined
      ? stack.use(await startEmbeddedPostgres({ folder: join(config.folder, 'postgres'), onExit }))
      : undefined;
  await embedded?.ensureDatabase('hub');
  const where: ConnectionOptions = embedded ? { ...embedded.address, name: 'hub' } : { connectionString: config.database_url ?? '' };
  const database = stack.use(openDatabase<HubTables>({ ...where, applicationName: 'muster hub' }));
  await checkServerVersion(database);
  const applied = await migrate(database.connection, migrationsOfHub);
  if (applied.length > 0) log.info({ migrations: applied }, 'the database was migrated');
  const epoch = stack.use(
    await openEpoch(database, {
      file: join(config.folder, 'epoch'),
      onRestored: (tx, number) => beginEpoch(asGlobalTransaction(tx), number),
      onTrouble: (error) => log.warn({ err: error }, 'the epoch file could not be renewed'),
    }),
  );
  if (epoch.decision.kind === 'restored')
    log.warn({ epoch: epoch.decision.epoch, why: epoch.decision.why }, 'the database has gone back in time');
  const mark = stack.use(
    await openRevisionMark(database, join(config.folder, 'revisions'), {
      onRestored: (was) => log.warn({ was }, 'the database has gone back in time: a new epoch'),
      onTrouble: (error) => log.warn({ err: error }, 'the mark of revisions could not be renewed'),
    }),
  );
  const owned = stack.move();
  return { database, epoch, mark, embedded, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
