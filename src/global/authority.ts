/**
 * The one writer of global config: the hub, or a cell that stands alone. A write locks its stream's row, looks at memory brought up to that
 * row, stages documents, and commits them with their log entries and the row. Any number of processes may be authorities over one database.
 * A database that is behind what was known of it has gone back in time: it begins a new epoch before anything else is done with it.
 */
import { randomBytes } from 'node:crypto';
import type { Database } from '../postgres/database.ts';
import {
  announce,
  appendChanges,
  ensureStreams,
  lockRevision,
  moveRevision,
  putDocuments,
  readOrigin,
  readRevisions,
  readSlice,
  skipIds,
  type GlobalDb,
} from './db/document-store.ts';
import { asGlobalDatabase, type GlobalTables } from './db/global-tables.ts';
import type { Slice } from './document.ts';
import { Draft } from './draft.ts';
import { GlobalMemory } from './memory.ts';
import { fingerprintOf } from './signing-key.ts';
import { beginning, compareRevisions, streams, type Revision, type Stream } from './revision.ts';

export interface Written<T> {
  readonly value: T;
  readonly stream: Stream;
  /** Where the stream is after this write. */
  readonly revision: Revision;
}

/** A replica's database was opened as if it were its own authority: two writers would go separate ways. */
export class ReplicaDatabase extends Error {
  override readonly name = 'ReplicaDatabase';

  constructor(hubKey: string) {
    super(
      `This database follows the hub with the key ${fingerprintOf(hubKey)}, but the data folder has no membership. Join that hub again.`,
    );
  }
}

export interface GlobalWriter {
  /**
   * Runs `decide` alone on its stream and commits what it staged. `decide` may run again from its start, so it has no effect but the draft.
   * What it throws rolls everything back. `by`: who asked, for the log.
   */
  write<T>(stream: Stream, by: string, decide: (draft: Draft) => Promise<T> | T): Promise<Written<T>>;
}

/** A write met a database that is behind this process's memory. */
class WentBack extends Error {
  override readonly name = 'WentBack';
}

/** A write's own word: 72 random bits. */
const randomMark = (): string => randomBytes(9).toString('base64url');

/** How many integer ids are skipped when the database has gone back in time. */
const skippedIds = 100_000;

export class Authority implements GlobalWriter {
  readonly memory = new GlobalMemory();
  readonly #database: Database<GlobalTables>;
  #refreshing: Promise<void> | undefined;

  private constructor(database: Database<GlobalTables>) {
    this.#database = database;
  }

  /** For rows of the authority that are no documents (verifiers). */
  get db(): GlobalDb {
    return this.#database.db;
  }

  /** Opens the authority over a migrated database and reads everything into memory. */
  static async open<Schema>(database: Database<Schema>): Promise<Authority> {
    const authority = new Authority(asGlobalDatabase(database));
    const origin = await readOrigin(authority.#database.db);
    if (origin !== undefined) throw new ReplicaDatabase(origin.hubKey);
    await ensureStreams(authority.#database.db, 1);
    await authority.#leaveBeginning();
    await authority.refresh();
    return authority;
  }

  async write<T>(stream: Stream, by: string, decide: (draft: Draft) => Promise<T> | T): Promise<Written<T>> {
    try {
      return await this.#commit(stream, by, decide);
    } catch (error) {
      if (!(error instanceof WentBack)) throw error;
      await this.refresh();
      return await this.#commit(stream, by, decide);
    }
  }

  async #commit<T>(stream: Stream, by: string, decide: (draft: Draft) => Promise<T> | T): Promise<Written<T>> {
    const { value, documents, mark, revision } = await this.#database.transaction(
      async (tx) => {
        const position = await lockRevision(tx, stream);
        if (!position) throw new Error(`the stream ${stream} is missing in the database`);
        const known = this.memory.revision(stream);
        if (compareRevisions(position, known) < 0) throw new WentBack();
        if (compareRevisions(position, known) !== 0) this.memory.apply(await readSlice(tx, stream, known, position));
        const draft = new Draft(tx, stream, this.memory, position);
        const decided = await decide(draft);
        const staged = draft.staged;
        const last = staged.at(-1)?.revision ?? { epoch: position.epoch, n: position.n };
        const mark = randomMark();
        if (staged.length > 0) {
          await putDocuments(tx, staged);
          await appendChanges(tx, by, mark, staged);
          await moveRevision(tx, stream, last, mark);
          await announce(tx, stream);
        }
        return { value: decided, documents: staged, mark, revision: last };
      },
      { retryable: true },
    );
    this.memory.apply({ stream, to: revision, mark, whole: false, documents });
    return { value, stream, revision };
  }

  /**
   * Take in what other processes have committed. Calls that come while one runs share the next one. A database that was put back to an
   * older state under this process (a restore, a failover that lost commits) begins a new epoch here.
   */
  async refresh(): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const known = new Map(streams.map((stream) => [stream, this.memory.revision(stream)]));
    const { isBehind } = await refreshMemory(this.#database, this.memory);
    if (isBehind && (await beginEpochIfBehind(this.#database, known))) await refreshMemory(this.#database, this.memory);
  }

  /** A replica's row starts at epoch 0; an authority never serves that one, so that "cold" and "empty" differ. */
  async #leaveBeginning(): Promise<void> {
    await this.#database.transaction(async (tx) => {
      for (const stream of streams) {
        const position = await lockRevision(tx, stream);
        if (position?.epoch === beginning.epoch) await moveRevision(tx, stream, { epoch: 1, n: position.n }, randomMark());
      }
    });
  }
}

/**
 * The database has gone back in time: a new epoch for both streams, so that every replica takes a snapshot, and no id of the lost time is
 * used again. In the transaction that notes the new epoch; before the authority opens.
 */
export async function beginEpoch(tx: GlobalDb, epoch: number): Promise<void> {
  for (const stream of streams) {
    const position = await lockRevision(tx, stream);
    if (position) await moveRevision(tx, stream, { epoch: Math.max(epoch, position.epoch + 1), n: position.n }, randomMark());
    await announce(tx, stream);
  }
  await skipIds(tx, skippedIds);
}

/**
 * Begin a new epoch if the database is behind one of these revisions, which it is known to have had. Safe in any number of processes at
 * once: the first one's epoch is above what the others know. @returns whether it did.
 */
export async function beginEpochIfBehind<Schema>(given: Database<Schema>, known: ReadonlyMap<Stream, Revision>): Promise<boolean> {
  return asGlobalDatabase(given).transaction(
    async (tx) => {
      let behind = 0;
      for (const stream of streams) {
        const position = await lockRevision(tx, stream);
        const before = known.get(stream) ?? beginning;
        if (position && compareRevisions(position, before) < 0) behind = Math.max(behind, before.epoch + 1);
      }
      if (behind > 0) await beginEpoch(tx, behind);
      return behind > 0;
    },
    { retryable: true },
  );
}

/** Bring `memory` to where the database is, as of one moment. `isBehind`: the database is older than memory, which stays as it is. */
export async function refreshMemory(database: Database<GlobalTables>, memory: GlobalMemory): Promise<{ readonly isBehind: boolean }> {
  const isHere = (revisions: ReadonlyMap<Stream, Revision>) =>
    streams.every((stream) => compareRevisions(revisions.get(stream) ?? beginning, memory.revision(stream)) === 0);
  // Mostly it is only a look: by the timer, or since this very process has announced what it knows already.
  if (isHere(await readRevisions(database.db))) return { isBehind: false };
  const { slices, isBehind } = await database.transaction(
    async (tx) => {
      const revisions = await readRevisions(tx);
      const isBehind = streams.some((stream) => compareRevisions(revisions.get(stream) ?? beginning, memory.revision(stream)) < 0);
      const stale = streams.filter((stream) => compareRevisions(revisions.get(stream) ?? beginning, memory.revision(stream)) > 0);
      const found: Slice[] = [];
      for (const stream of stale) found.push(await readSlice(tx, stream, memory.revision(stream), revisions.get(stream) ?? beginning));
      return { slices: found, isBehind };
    },
    // One moment for revision and documents: otherwise a document changed in between would be seen as neither old nor new.
    { isolation: 'repeatable read', retryable: true },
  );
  for (const slice of slices) memory.apply(slice);
  return { isBehind };
}
