/** A cell that does not run, opened by its own machine's admin: to see what it has of its own, and to make it a replica of a hub. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { becomeReplica, readOwn } from '../global/become-replica.ts';
import type { GlobalDb } from '../global/db/document-store.ts';
import { asGlobalDatabase } from '../global/db/global-tables.ts';
import { defaultPool } from '../global/api/resource-pools.ts';
import { defaultZone } from '../global/api/zones.ts';
import type { Document } from '../global/document.ts';
import type { HandOverItem } from '../global/hand-over.ts';
import type { TrustedKey } from '../global/hub-trust.ts';
import { openDatabase, type ConnectionOptions, type Database } from '../postgres/database.ts';
import { startEmbeddedPostgres } from '../postgres/embedded-postgres.ts';
import { migrate } from '../postgres/migrations.ts';
import { migrationsOfCell } from './cell-database.ts';
import { connectionsOfCells, hasCell, readIdentity, renameReferences, type IdMap, type LetGo } from './db/hand-over-store.ts';
import type { CellTables } from './db/schema.ts';

export interface StoppedCell extends AsyncDisposable {
  readonly number: number;
  readonly name: string;
  /** Global config in its database. */
  readonly global: GlobalDb;
  /** What it has as its own authority; undefined when it follows a hub. */
  readonly own: readonly Document[] | undefined;
  /** Its rows under the hub's ids, and itself the hub's replica: one transaction. */
  adopt(hub: TrustedKey, items: readonly HandOverItem[], documents: readonly Pick<Document, 'kind' | 'id' | 'body'>[]): Promise<LetGo>;
}

/** A cell that has just ended is still seen: its server processes end some milliseconds after it. */
async function isQuiet(db: Database<CellTables>['db']): Promise<boolean> {
  for (let tries = 0; tries < 30; tries += 1) {
    if ((await connectionsOfCells(db)) === 0) return true;
    await sleep(100);
  }
  return false;
}

/** @returns undefined where no cell has ever run. @throws Error when it runs. */
export async function openStoppedCell(folder: string, databaseUrl: string | undefined, log: Logger): Promise<StoppedCell | undefined> {
  await using stack = new AsyncDisposableStack();
  const home = join(folder, 'postgres');
  if (databaseUrl === undefined && !existsSync(join(home, 'data', 'PG_VERSION'))) return undefined;
  const onExit = ({ pid }: { readonly pid: number }) => log.error({ pid }, 'PostgreSQL ended');
  const embedded = databaseUrl === undefined ? stack.use(await startEmbeddedPostgres({ folder: home, onExit })) : undefined;
  await embedded?.ensureDatabase('cell');
  const where: ConnectionOptions = embedded ? { ...embedded.address, name: 'cell' } : { connectionString: databaseUrl ?? '' };
  const database = stack.use(openDatabase<CellTables>({ ...where, applicationName: 'muster join', maxConnections: 2 }));
  const { db } = database;
  if (!(await hasCell(db))) return undefined;
  if (!(await isQuiet(db)))
    throw new Error('This cell is running. Stop it, and every other process of it, before it joins: its users and names change hands.');
  await migrate(database.connection, migrationsOfCell);
  const identity = await readIdentity(db);
  if (!identity) return undefined;
  const global = asGlobalDatabase(database).db;
  const own = await readOwn(global);
  const owned = stack.move();
  return {
    ...identity,
    global,
    own,
    adopt: (hub, items, documents) =>
      database.transaction(async (tx) => {
        const maps = { zone: idsOf(items, 'zone'), pool: idsOf(items, 'pool'), tag: idsOf(items, 'tag'), space: idsOf(items, 'space') };
        const letGo = await renameReferences(tx, maps, { zone: defaultZone, pool: defaultPool });
        await becomeReplica(tx as unknown as GlobalDb, hub, documents);
        return letGo;
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function idsOf(items: readonly HandOverItem[], kind: HandOverItem['kind']): IdMap {
  return new Map(items.flatMap((item) => (item.kind === kind && item.to !== null ? [[Number(item.id), Number(item.to)] as const] : [])));
}
