/** Global config for a cell: its own authority while it stands alone, a replica of the hub's once it has joined. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Authority } from '../global/authority.ts';
import { readOwn, wouldBeLost } from '../global/become-replica.ts';
import { asGlobalDatabase } from '../global/db/global-tables.ts';
import { followBuiltCatalogue } from '../global/built-catalogue.ts';
import { createFirstAdmin, ensureDefaults, type FirstAdmin } from '../global/default-documents.ts';
import { openJoinedGlobal } from '../global/joined-global.ts';
import { keyFileIn, readMembership } from '../global/membership.ts';
import { openStandaloneGlobal, type CellGlobal } from '../global/standalone-global.ts';
import type { SpaceDoor, UsageDoor } from '../global/api/context.ts';
import type { CellDatabase } from './cell-database.ts';
import type { CellConfig } from './config.ts';
import { openFinding } from './db/finding-store.ts';
import { StandsAlone } from './join-cell.ts';
import { watchRetirement } from './standing.ts';

export interface CellGlobalDoors {
  readonly usage: UsageDoor;
  readonly spaces: SpaceDoor;
}

/** @throws Error when the membership is damaged or of another cell. */
export async function openCellGlobal(
  config: CellConfig,
  base: CellDatabase,
  version: string,
  doors: CellGlobalDoors,
  log: Logger,
): Promise<CellGlobal> {
  const membership = await readMembership(config.folder);
  const common = {
    database: base.database,
    name: config.name,
    keyFile: keyFileIn(config.folder),
    ...doors,
    images: config.images ?? join(config.folder, 'images'),
    onTrouble: (error: unknown) => log.warn({ err: error }, 'global settings could not be refreshed'),
  };
  if (membership) {
    if (membership.role !== 'cell' || membership.name !== config.name || membership.number !== base.number) {
      throw new Error(
        `the data folder ${config.folder} belongs to ${membership.role} ${membership.name} (number ${membership.number}), not to cell ${config.name} (number ${base.number})`,
      );
    }
    const lost = wouldBeLost((await readOwn(asGlobalDatabase(base.database).db)) ?? []);
    if (lost.length > 0) throw new StandsAlone(lost);
    const findings = {
      report: (finding: { kind: 'refused_batch' | 'hub_lag'; subject: string; data: Readonly<Record<string, string | number>> }) =>
        base.database.transaction((tx) => openFinding(tx, finding)),
    };
    const joined = await openJoinedGlobal({ ...common, membership, version, findings });
    const tell = async (): Promise<void> => {
      log.error({ cell: config.name }, 'the hub has retired this cell');
      const finding = { kind: 'cell_retired', subject: config.name, data: { cell: config.name } } as const;
      await base.database.transaction((tx) => openFinding(tx, finding));
    };
    const watch = watchRetirement(joined.state, (listener) => joined.reader.onChange(listener), tell);
    return {
      ...joined,
      [Symbol.asyncDispose]: async () => {
        watch[Symbol.dispose]();
        await joined[Symbol.asyncDispose]();
      },
    };
  }
  const outside = { launchpad: config.launchpad_url, github: config.github_url };
  const standalone = await openStandaloneGlobal({ ...common, outside });
  const ending = new AbortController();
  const following = followBuiltCatalogue(standalone.authority, common.images, ending.signal, common.onTrouble);
  return {
    reader: standalone.reader,
    authenticate: standalone.authenticate,
    handlers: standalone.handlers,
    lag: () => standalone.lag(),
    refresh: () => standalone.refresh(),
    state: () => standalone.state(),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await following;
      await standalone[Symbol.asyncDispose]();
    },
  };
}

/** The first admin of a cell that stands alone; undefined when it has one. Password and key are shown only here. */
export async function firstAdminOf(base: CellDatabase, username: string): Promise<FirstAdmin | undefined> {
  const authority = await Authority.open(base.database);
  await ensureDefaults(authority);
  return createFirstAdmin(authority, username);
}
