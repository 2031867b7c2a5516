/** A global document: the current state of one user, key, setting, zone, … Retired, never deleted, so that no reference ever dangles. */
import type { BodyOf, Kind } from './kinds.ts';
import type { Revision, Stream } from './revision.ts';

export interface Document {
  readonly kind: string;
  readonly id: string;
  readonly stream: Stream;
  /** The revision that last changed it. */
  readonly revision: Revision;
  readonly retired: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Everything of one stream, or what changed in it, up to a revision. */
export interface Slice {
  readonly stream: Stream;
  readonly to: Revision;
  /** The random word of the write that led to `to`; left out: unknown. */
  readonly mark?: string;
  /** True: these documents replace all there were. */
  readonly whole: boolean;
  readonly documents: readonly Document[];
}

/** What rooms read global config through. It answers from memory; nothing here waits. */
export interface GlobalReader {
  /** The body of one document; undefined when there is none, it is retired, or this program cannot read it. */
  get<K extends Kind>(kind: K, id: string | number): BodyOf<K> | undefined;
  /** The same by name (user name for users); names are unique among what is not retired. */
  named<K extends Kind>(kind: K, name: string): BodyOf<K> | undefined;
  /** All of a kind, oldest id first. */
  list<K extends Kind>(kind: K): BodyOf<K>[];
  /** The same with document ids. */
  entries<K extends Kind>(kind: K): [string, BodyOf<K>][];
  /** True when there was such a document and it was retired: not the same as never heard of. */
  isRetired(kind: Kind, id: string | number): boolean;
  /** The last bodies of what was retired, as far as this program can read them. */
  retired<K extends Kind>(kind: K): BodyOf<K>[];
  /** How far this memory is. */
  revision(stream: Stream): Revision;
  /** The random word of the write that led there; empty when unknown. */
  mark(stream: Stream): string;
  /** Calls `listener` after every change; the returned function ends that. */
  onChange(listener: (stream: Stream) => void): () => void;
}
