/**
 * A revision of global config: (hub epoch, n) of one stream. The epoch counts how often the hub's database has gone back in time; n rises
 * by one with every change, under one row lock, so commit order and number agree (architecture §7).
 */

/** `access` (who may do what) is a stream of its own, so that nothing in `config` can hold up a revocation. */
export type Stream = 'access' | 'config';

export const streams: readonly Stream[] = ['access', 'config'];

export interface Revision {
  readonly epoch: number;
  readonly n: number;
}

/** What nobody has: before the first change of the first epoch. */
export const beginning: Revision = { epoch: 0, n: 0 };

/** Negative when `a` is older than `b`, zero when equal. The epoch counts first. */
export function compareRevisions(a: Revision, b: Revision): number {
  return a.epoch - b.epoch || a.n - b.n;
}

/** `3.1207`: epoch, dot, n. */
export function formatRevision(revision: Revision): string {
  return `${revision.epoch}.${revision.n}`;
}

/** `access=3.12 config=3.40`: how far something is in both streams. */
export function formatRevisions(reader: { revision(stream: Stream): Revision }): string {
  return streams.map((stream) => `${stream}=${formatRevision(reader.revision(stream))}`).join(' ');
}

/** Reads {@link formatRevision}'s text; undefined for anything else. */
export function parseRevision(text: string): Revision | undefined {
  const match = /^(\d{1,9})\.(\d{1,15})$/.exec(text);
  if (!match) return undefined;
  return { epoch: Number(match[1]), n: Number(match[2]) };
}

/** Entries of the log that the hub keeps of each stream: weeks of a busy fleet, some 10 MB. Retired keys are forgotten with them. */
export const keptChanges = 10_000;
