import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { sql, type QueryExecutorProvider, type Transaction } from 'kysely';
import type { Database } from './database.ts';
import { decideEpoch, parseMark, renderMark, type EpochDecision, type EpochMark } from './epoch.ts';

export type EpochOptions<Schema> = {
  /** The file, in the program's data folder and outside PostgreSQL's. */
  readonly file: string;
  /** Whether a missing file is no sign of a restore: see `decideEpoch`. Asked only when the file is missing. Default: it is one. */
  readonly trustMissing?: () => Promise<boolean>;
  /** Runs in the transaction that commits the new epoch: void tickets, park operations. It happens with it or not at all. */
  readonly onRestored: (tx: Transaction<Schema>, epoch: number) => Promise<void>;
  /** Told when the mark could not be written (disk full, PostgreSQL away). */
  readonly onTrouble?: (error: unknown) => void;
  /** How often the mark is renewed, in ms. Default 1,000. */
  readonly everyMs?: number;
};

export type Epoch = AsyncDisposable & {
  readonly decision: EpochDecision;
  /** Writes the mark now. */
  renew(): Promise<void>;
  /** Stops renewing; writes a last mark if PostgreSQL still answers. */
  close(): Promise<void>;
};

/**
 * Compares the database with the file, begins a new epoch if it was restored, and keeps the mark.
 * After the migrations, before anything else reads or writes.
 *
 * Order of a new epoch: file first (with an empty mark), then the database with `onRestored` in one
 * transaction, then the full mark. A crash after the first makes the next start see a file ahead of
 * its database, so it is restored again; after the second, file and database agree.
 */
export async function openEpoch<Schema>(database: Database<Schema>, options: EpochOptions<Schema>): Promise<Epoch> {
  const mark = readMark(options.file);
  const found = await measure(database.db);
  // What vouches for a missing file is worth something only if it was asked after the database was measured.
  const trustMissing = mark === undefined && ((await options.trustMissing?.()) ?? false);
  const decision = decideEpoch(mark, found, { trustMissing });
  if (decision.kind === 'restored') {
    writeMark(options.file, { epoch: decision.epoch, system: found.system, xid: 0n, id: 0 });
    await database.transaction(async (tx) => {
      // Waits for open writers and holds up new ones: none may commit a row of the old epoch after this.
      await sql`lock table event in share row exclusive mode`.execute(tx);
      const begun = await sql`update feed set epoch = ${decision.epoch} where epoch < ${decision.epoch}`.execute(tx);
      // Another process over this database may have begun it meanwhile; what was done since then is not undone.
      if (begun.numAffectedRows === 1n) await options.onRestored(tx, decision.epoch);
    });
  }
  return keepMark(database, decision, options);
}

async function keepMark<Schema>(database: Database<Schema>, decision: EpochDecision, options: EpochOptions<Schema>): Promise<Epoch> {
  let written = '';
  const renewNow = async (): Promise<void> => {
    const mark = await measure(database.db);
    const text = renderMark(mark);
    if (text !== written) writeMark(options.file, mark);
    written = text;
  };
  // One at a time: an older measurement must not be written after a newer one.
  let last: Promise<void> = Promise.resolve();
  const renew = (): Promise<void> => (last = last.catch(() => undefined).then(renewNow));
  await renew();
  const timer = setInterval(() => void renew().catch(options.onTrouble), options.everyMs ?? 1_000);
  timer.unref();
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await renew().catch(options.onTrouble);
  };
  return { decision, renew, close, [Symbol.asyncDispose]: close };
}

/** Where the database is. The id is that of a committed event and the xid one that has begun: both only rise. */
async function measure(db: QueryExecutorProvider): Promise<EpochMark> {
  const { rows } = await sql<{ epoch: number; system: string; xid: string; id: number }>`
    select epoch, (select system_identifier::text from pg_control_system()) as system,
           pg_snapshot_xmax(pg_current_snapshot())::text as xid,
           (select coalesce(max(id), 0) from event) as id
    from feed`.execute(db);
  const row = rows[0];
  if (row === undefined) throw new Error('The table "feed" has no row: the feed migration is missing.');
  return { epoch: row.epoch, system: row.system, xid: BigInt(row.xid), id: row.id };
}

function readMark(file: string): EpochMark | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseMark(text);
}

/** Written beside it, synced, renamed, and the folder synced: whole and lasting, or the one before. */
export function writeMark(file: string, mark: EpochMark): void {
  const fresh = `${file}.new`;
  const handle = openSync(fresh, 'w', 0o600);
  try {
    writeSync(handle, renderMark(mark));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(fresh, file);
  const folder = openSync(dirname(file), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
