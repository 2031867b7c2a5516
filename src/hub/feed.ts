/** Batches of the replica feed: what follows a replica's revision, signed by the hub's key. */
import { fail } from '../contract/errors.ts';
import type { Authority } from '../global/authority.ts';
import { sealBatch, type Batch } from '../global/batch.ts';
import { logReachesBack, readChanges, readMark, type GlobalDb } from '../global/db/document-store.ts';
import type { Document } from '../global/document.ts';
import { beginning, compareRevisions, formatRevision, type Revision, type Stream } from '../global/revision.ts';
import type { SigningKey } from '../global/signing-key.ts';

/** Changes in one batch; a replica that is further behind comes again at once. */
const mostChanges = 2_000;
/** Of bodies in one batch, with one document on top: far below what a replica refuses (`largestBatch`). */
const changesBytes = 16 * 1024 * 1024;

export interface Feed {
  /**
   * Is `after` of this hub's history? `mark`: the word that came with it.
   * @throws Failure `replica_ahead`: the hub's database has gone back in time and nobody has noticed.
   */
  check(stream: Stream, after: Revision, mark?: string): Promise<void>;
  /** What comes after `after`: changes, nothing, or a snapshot when changes cannot lead on from there. @throws what `check` does. */
  changes(stream: Stream, after: Revision): Promise<string>;
  /** Everything. */
  snapshot(stream: Stream): string;
  /** Resolves when the stream is past `after`, at the latest after `ms` or when a signal aborts. */
  waitFor(stream: Stream, after: Revision, ms: number, ...signals: AbortSignal[]): Promise<void>;
}

export interface FeedOptions {
  /** The body as members can read it (`emission.ts`). */
  readonly bodyOf?: (document: Document) => Document['body'];
  /** For tests; left out: 16 MiB. */
  readonly bytes?: number;
}

export function createFeed(
  authority: Authority,
  key: () => SigningKey,
  { bodyOf = ({ body }) => body, bytes = changesBytes }: FeedOptions = {},
): Feed {
  const { memory } = authority;
  const db: GlobalDb = authority.db;
  const sealed = (batch: Omit<Batch, 'documents'>, documents: readonly Document[]): string =>
    sealBatch(key().privateKey, {
      ...batch,
      documents: documents.map((document) => {
        const { kind, id, revision, retired } = document;
        return { kind, id, revision, retired, body: bodyOf(document) };
      }),
    });
  const snapshot = (stream: Stream): string =>
    sealed({ stream, form: 'snapshot', from: beginning, to: memory.revision(stream), mark: memory.mark(stream) }, memory.documents(stream));

  const build = async (stream: Stream, after: Revision, now: Revision): Promise<string> => {
    if (after.epoch !== now.epoch || !(await logReachesBack(db, stream, after, now))) return snapshot(stream);
    const documents = (await readChanges(db, stream, after, { limit: mostChanges, bytes })).filter(
      ({ revision }) => compareRevisions(revision, now) <= 0,
    );
    // The log may have been trimmed since the look at how far it reaches back.
    if (documents.some(({ revision }, at) => revision.n !== after.n + 1 + at)) return snapshot(stream);
    const { revision: to = after, mark = '' } = documents.at(-1) ?? {};
    return sealed({ stream, form: 'changes', from: after, to, mark }, documents);
  };
  /** As far as is known. The word is random, so whoever has it has all that was before it. */
  const hasHistory = async (stream: Stream, after: Revision, now: Revision, mark: string | undefined): Promise<boolean> => {
    if (compareRevisions(after, now) > 0) return false;
    if (mark === undefined || after.epoch !== now.epoch) return true;
    const known = compareRevisions(after, now) === 0 ? memory.mark(stream) : await readMark(db, stream, after);
    return known === undefined || known === '' || known === mark;
  };
  const check = async (stream: Stream, after: Revision, mark?: string): Promise<void> => {
    // A replica that comes from another process of the hub may bring news that have not reached this one.
    if (compareRevisions(after, memory.revision(stream)) > 0) await authority.refresh();
    const now = memory.revision(stream);
    if (!(await hasHistory(stream, after, now, mark)))
      throw fail('replica_ahead', { stream, after: formatRevision(after), now: formatRevision(now) });
  };
  /** The batches that lead to where each stream is: after a write every replica asks for the same one. */
  const built = new Map<Stream, { readonly now: Revision; readonly key: string; readonly batches: Map<string, Promise<string>> }>();

  return {
    snapshot,
    check,
    changes: async (stream, after) => {
      await check(stream, after);
      const now = memory.revision(stream);
      if (compareRevisions(after, now) === 0)
        return sealed({ stream, form: 'changes', from: after, to: after, mark: memory.mark(stream) }, []);
      let kept = built.get(stream);
      if (!kept || compareRevisions(kept.now, now) !== 0 || kept.key !== key().text)
        built.set(stream, (kept = { now, key: key().text, batches: new Map() }));
      const known = kept.batches.get(formatRevision(after));
      if (known) return known;
      const batch = build(stream, after, now);
      // A few positions behind the newest are common, all others are rare and may be large.
      if (kept.batches.size < 16) kept.batches.set(formatRevision(after), batch);
      const drop = kept.batches;
      batch.catch(() => drop.delete(formatRevision(after)));
      return batch;
    },
    waitFor: (stream, after, ms, ...signals) =>
      new Promise((resolve) => {
        const past = (): boolean => compareRevisions(memory.revision(stream), after) !== 0;
        const done = (): void => {
          clearTimeout(timer);
          unsubscribe();
          for (const signal of signals) signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        const unsubscribe = memory.onChange(() => past() && done());
        for (const signal of signals) signal.addEventListener('abort', done, { once: true });
        if (past() || signals.some((signal) => signal.aborted)) done();
      }),
  };
}
