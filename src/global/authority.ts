/**
 * The one writer of global config: the hub, or a cell that stands alone. A write locks its stream's row, looks at memory brought up to that
 * row, stages documents, and commits them with their log entries and the row. Any number of processes may be authorities over one database.
 */
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
    if (origin !== undefined) throw new ReplicaDatabase(origin);
    await ensureStreams(authority.#database.db, 1);
    await authority.#leaveBeginning();
    await authority.refresh();
    return authority;
  }

  async write<T>(stream: Stream, by: string, decide: (draft: Draft) => Promise<T> | T): Promise<Written<T>> {
    const { value, documents, revision } = await this.#database.transaction(
      async (tx) => {
        const position = await lockRevision(tx, stream);
        if (!position) throw new Error(`the stream ${stream} is missing in the database`);
        const known = this.memory.revision(stream);
        if (compareRevisions(position, known) !== 0) this.memory.apply(await readSlice(tx, stream, known, position));
        const draft = new Draft(tx, stream, this.memory, position);
        const decided = await decide(draft);
        const staged = draft.staged;
        const last = staged.at(-1)?.revision ?? position;
        if (staged.length > 0) {
          await putDocuments(tx, staged);
          await appendChanges(tx, by, staged);
          await moveRevision(tx, stream, last);
          await announce(tx, stream);
        }
        return { value: decided, documents: staged, revision: last };
      },
      { retryable: true },
    );
    this.memory.apply({ stream, to: revision, whole: false, documents });
    return { value, stream, revision };
  }

  /** Take in what other processes have committed. Calls that come while one runs share the next one. */
  async refresh(): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    this.#refreshing ??= refreshMemory(this.#database, this.memory).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /** A replica's row starts at epoch 0; an authority never serves that one, so that "cold" and "empty" differ. */
  async #leaveBeginning(): Promise<void> {
    await this.#database.transaction(async (tx) => {
      for (const stream of streams) {
        const position = await lockRevision(tx, stream);
        if (position?.epoch === beginning.epoch) await moveRevision(tx, stream, { epoch: 1, n: position.n });
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
    if (position) await moveRevision(tx, stream, { epoch: Math.max(epoch, position.epoch + 1), n: position.n });
    await announce(tx, stream);
  }
  await skipIds(tx, skippedIds);
}

/** Bring `memory` to where the database is, as of one moment. */
export async function refreshMemory(database: Database<GlobalTables>, memory: GlobalMemory): Promise<void> {
  const slices = await database.transaction(
    async (tx) => {
      const revisions = await readRevisions(tx);
      const stale = streams.filter((stream) => compareRevisions(revisions.get(stream) ?? beginning, memory.revision(stream)) > 0);
      const found: Slice[] = [];
      for (const stream of stale) found.push(await readSlice(tx, stream, memory.revision(stream), revisions.get(stream) ?? beginning));
      return found;
    },
    // One moment for revision and documents: otherwise a document changed in between would be seen as neither old nor new.
    { isolation: 'repeatable read', retryable: true },
  );
  for (const slice of slices) memory.apply(slice);
}
