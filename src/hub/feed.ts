/** Batches of the replica feed: what follows a replica's revision, signed by the hub's key. */
import type { Authority } from '../global/authority.ts';
import { sealBatch, type Batch } from '../global/batch.ts';
import { logReachesBack, readChanges, type GlobalDb } from '../global/db/document-store.ts';
import type { Document } from '../global/document.ts';
import { beginning, compareRevisions, formatRevision, type Revision, type Stream } from '../global/revision.ts';
import type { SigningKey } from '../global/signing-key.ts';

/** Changes in one batch; a replica that is further behind comes again at once. */
const mostChanges = 2_000;

export interface Feed {
  /** What comes after `after`: changes, nothing, or a snapshot when changes cannot lead on from there. */
  changes(stream: Stream, after: Revision): Promise<string>;
  /** Everything. */
  snapshot(stream: Stream): string;
  /** Resolves when the stream is past `after`, at the latest after `ms` or when a signal aborts. */
  waitFor(stream: Stream, after: Revision, ms: number, ...signals: AbortSignal[]): Promise<void>;
}

/** A replica says it is ahead of the hub: the hub's database has gone back in time and nobody has noticed. */
export class ReplicaAhead extends Error {
  override readonly name = 'ReplicaAhead';
}

export function createFeed(authority: Authority, key: SigningKey): Feed {
  const { memory } = authority;
  const db: GlobalDb = authority.db;
  const sealed = (batch: Omit<Batch, 'documents'>, documents: readonly Document[]): string =>
    sealBatch(key.privateKey, {
      ...batch,
      documents: documents.map(({ kind, id, revision, retired, body }) => ({ kind, id, revision, retired, body })),
    });
  const snapshot = (stream: Stream): string =>
    sealed({ stream, form: 'snapshot', from: beginning, to: memory.revision(stream) }, memory.documents(stream));

  const build = async (stream: Stream, after: Revision, now: Revision): Promise<string> => {
    if (after.epoch !== now.epoch || !(await logReachesBack(db, stream, after, now))) return snapshot(stream);
    const documents = (await readChanges(db, stream, after, mostChanges)).filter(({ revision }) => compareRevisions(revision, now) <= 0);
    const to = documents.at(-1)?.revision ?? after;
    return sealed({ stream, form: 'changes', from: after, to }, documents);
  };
  /** The batches that lead to where each stream is: after a write every replica asks for the same one. */
  const built = new Map<Stream, { readonly now: Revision; readonly batches: Map<string, Promise<string>> }>();

  return {
    snapshot,
    changes: async (stream, after) => {
      const now = memory.revision(stream);
      const order = compareRevisions(after, now);
      if (order === 0) return sealed({ stream, form: 'changes', from: after, to: after }, []);
      if (order > 0) throw new ReplicaAhead(`a replica has ${stream} ${formatRevision(after)}, the hub is at ${formatRevision(now)}`);
      let kept = built.get(stream);
      if (!kept || compareRevisions(kept.now, now) !== 0) built.set(stream, (kept = { now, batches: new Map() }));
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
