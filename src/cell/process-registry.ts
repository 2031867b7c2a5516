/** This process among those of its cell: its row, its heartbeat, and what it learns of the others. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Database } from '../postgres/database.ts';
import type { CellConfig } from './config.ts';
import type { CellDb } from './db/cell-db.ts';
import {
  beat,
  endProcess,
  lastHeartbeat,
  leaseOwner,
  readProcesses,
  registerProcess,
  wakeWorkers,
  type ProcessRow,
} from './db/process-store.ts';
import type { CellTables } from './db/schema.ts';
import type { ServiceAddresses } from './service-addresses.ts';

export interface ProcessRegistry extends AsyncDisposable {
  readonly id: string;
  /** How leases say that they are this start's of this process. */
  readonly owner: string;
  /** No other process lived a second ago. */
  alone(): boolean;
  /** All processes of the cell, this one too. */
  list(): Promise<ProcessRow[]>;
}

export interface RegistryOptions {
  readonly database: Database<CellTables>;
  readonly config: CellConfig;
  readonly addresses: ServiceAddresses;
  readonly version: string;
  readonly servesTftp: boolean;
  readonly log: Logger;
  /** The row of this start is gone (silent for a day, or the database went back): called once. Leases taken from now on would be nobody's. */
  readonly onForgotten: () => void;
}

const heartbeatMs = 1_000;
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The id of the process that has this data folder, drawn at its first start. */
export async function processIdOf(folder: string): Promise<string> {
  const found = await readFile(join(folder, 'process-id'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return uuid.test(found.trim()) ? found.trim() : drawProcessId(folder);
}

async function drawProcessId(folder: string): Promise<string> {
  const path = join(folder, 'process-id');
  const drawn = randomUUID();
  const file = await open(`${path}.new`, 'w', 0o600);
  await file.writeFile(`${drawn}\n`);
  await file.sync();
  await file.close();
  await rename(`${path}.new`, path);
  return drawn;
}

/**
 * Does another process of the cell live over this database? One heartbeat must be seen to come: a row that is young may have come with the
 * backup that the database was restored from. Takes up to 4 s.
 */
export async function othersLive(db: CellDb, ownId: string): Promise<boolean> {
  const first = await lastHeartbeat(db, ownId);
  if (first === undefined) return false;
  for (let look = 0; look < 8; look += 1) {
    await sleep(500);
    if (((await lastHeartbeat(db, ownId)) ?? first) > first) return true;
  }
  return false;
}

/** Write this process' row and keep it alive until it is disposed of. */
export async function joinProcesses(options: RegistryOptions): Promise<ProcessRegistry> {
  const { database, config, addresses, version, servesTftp, log, onForgotten } = options;
  const known = await processIdOf(config.folder);
  const namesake = (await readProcesses(database.db)).find((one) => one.id === known && one.live);
  // Restarted within seconds it is the same; at another address it is a copy of a data folder that another process runs on.
  const isCopy = namesake !== undefined && (namesake.address !== addresses.own || namesake.port !== config.port);
  const id = isCopy ? await drawProcessId(config.folder) : known;
  const row = await database.transaction(
    async (tx) =>
      registerProcess(tx, {
        id,
        name: config.process_name ?? hostname(),
        address: addresses.own,
        serviceAddresses: addresses.all,
        port: config.port,
        version,
        servesDhcp: config.dhcp && config.rack.length > 0,
        servesTftp,
        cpuCount: availableParallelism(),
        memory: Math.round(totalmem() / 2 ** 20),
        architecture: architectures[process.arch] ?? process.arch,
      }),
    { retryable: true },
  );
  const set = (of: readonly string[]): string => of.toSorted().join(', ');
  for (const other of await readProcesses(database.db)) {
    if (other.live && set(other.service_addresses) !== set(addresses.all))
      log.error(
        { process: other.name },
        `this process gives machines the addresses ${set(addresses.all)}, ${other.name} gives ${set(other.service_addresses)}: set service_addresses alike`,
      );
  }
  const over = new AbortController();
  let living = new Set((await beat(database.db, row)) ?? []);
  const run = async (): Promise<void> => {
    for (;;) {
      await sleep(heartbeatMs, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
      if (over.signal.aborted) return;
      try {
        const others = await beat(database.db, row);
        if (!others) {
          log.error({ process: row.id }, 'this process has no row in the database any more: it ends, to start as a new one');
          return onForgotten();
        }
        const now = new Set(others);
        // What a dead process had in hand is taken up at once, not when somebody next looks; and with one that comes back DHCP changes hands.
        if (now.size !== living.size || [...living].some((id) => !now.has(id))) await wakeWorkers(database.db);
        living = now;
      } catch (error) {
        log.debug({ err: error }, 'no heartbeat');
      }
    }
  };
  const running = run();
  return {
    id: row.id,
    owner: leaseOwner(row),
    alone: () => living.size === 0,
    list: () => readProcesses(database.db),
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
      await endProcess(database.db, row).catch(() => undefined);
    },
  };
}
