/** What a write sees and collects while it holds its stream's lock: memory, and over it what this write has staged so far. */
import type { Document, GlobalReader } from './document.ts';
import { nameOf, streamOf, type BodyOf, type Kind } from './kinds.ts';
import type { Revision, Stream } from './revision.ts';
import type { GlobalDb } from './db/document-store.ts';
import { drawId } from './db/document-store.ts';

export type Reading = Pick<GlobalReader, 'get' | 'named' | 'list' | 'entries' | 'isRetired' | 'retired'>;

export class Draft implements Reading {
  /** The transaction, for rows that must commit together with the documents. */
  readonly db: GlobalDb;
  readonly #stream: Stream;
  readonly #base: Reading;
  readonly #position: Revision;
  readonly #staged: Document[] = [];

  constructor(db: GlobalDb, stream: Stream, base: Reading, position: Revision) {
    this.db = db;
    this.#stream = stream;
    this.#base = base;
    this.#position = position;
  }

  /** Of the stream: it rises when the authority's database has gone back in time. */
  get epoch(): number {
    return this.#position.epoch;
  }

  /** What was staged, each with its own revision, in order. */
  get staged(): readonly Document[] {
    return this.#staged;
  }

  put<K extends Kind>(kind: K, id: string | number, body: BodyOf<K>): void {
    this.#stage(kind, String(id), body, false);
  }

  /** Retired documents keep their last body, so that what still refers to them can be named. */
  retire(kind: Kind, id: string | number): void {
    const body = this.get(kind, id);
    if (body) this.#stage(kind, String(id), body, true);
  }

  /** A new integer id of cell 0. */
  drawId(): Promise<number> {
    return drawId(this.db);
  }

  get<K extends Kind>(kind: K, id: string | number): BodyOf<K> | undefined {
    const staged = this.#latest(kind, String(id));
    return staged ? (staged.retired ? undefined : (staged.body as BodyOf<K>)) : this.#base.get(kind, id);
  }

  named<K extends Kind>(kind: K, name: string): BodyOf<K> | undefined {
    return this.list(kind).find((body) => nameOf(body) === name);
  }

  list<K extends Kind>(kind: K): BodyOf<K>[] {
    return this.entries(kind).map(([, body]) => body);
  }

  entries<K extends Kind>(kind: K): [string, BodyOf<K>][] {
    const found = new Map(this.#base.entries(kind));
    for (const { kind: stagedKind, id, retired, body } of this.#staged) {
      if (stagedKind !== kind) continue;
      if (retired) found.delete(id);
      else found.set(id, body as BodyOf<K>);
    }
    return [...found];
  }

  isRetired(kind: Kind, id: string | number): boolean {
    return this.#latest(kind, String(id))?.retired ?? this.#base.isRetired(kind, id);
  }

  /** Of what this very write retires, too. */
  retired<K extends Kind>(kind: K): BodyOf<K>[] {
    const staged = this.#staged.filter((document) => document.kind === kind && document.retired);
    return [...this.#base.retired(kind), ...staged.map((document) => document.body as BodyOf<K>)];
  }

  #latest(kind: Kind, id: string): Document | undefined {
    return this.#staged.findLast((document) => document.kind === kind && document.id === id);
  }

  #stage(kind: Kind, id: string, body: Readonly<Record<string, unknown>>, retired: boolean): void {
    if (streamOf(kind) !== this.#stream) throw new Error(`a ${kind} is not of the stream ${this.#stream}`);
    const revision = { epoch: this.#position.epoch, n: this.#position.n + this.#staged.length + 1 };
    this.#staged.push({ kind, id, stream: this.#stream, revision, retired, body });
  }
}
