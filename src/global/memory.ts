/**
 * Global config in memory, indexed by kind, id and name: what every program reads from, so that no request costs SQL. It is fed with
 * slices, by the authority after each commit and by the replica after each batch. A front has nothing else.
 */
import type { Document, GlobalReader, Slice } from './document.ts';
import { revocationSlack } from './session.ts';
import { forgottenKinds, nameOf, readable, streamOf, type BodyOf, type Kind } from './kinds.ts';
import { beginning, compareRevisions, type Revision, type Stream } from './revision.ts';

interface Shelf {
  readonly documents: Map<string, Document>;
  readonly idByName: Map<string, string>;
}

export class GlobalMemory implements GlobalReader {
  readonly #shelves = new Map<string, Shelf>();
  readonly #revisions = new Map<Stream, Revision>();
  readonly #marks = new Map<Stream, string>();
  readonly #listeners = new Set<(stream: Stream) => void>();

  get<K extends Kind>(kind: K, id: string | number): BodyOf<K> | undefined {
    return bodyOf<K>(this.#shelves.get(kind)?.documents.get(String(id)));
  }

  named<K extends Kind>(kind: K, name: string): BodyOf<K> | undefined {
    const id = this.#shelves.get(kind)?.idByName.get(name);
    return id === undefined ? undefined : this.get(kind, id);
  }

  list<K extends Kind>(kind: K): BodyOf<K>[] {
    return this.entries(kind).map(([, body]) => body);
  }

  entries<K extends Kind>(kind: K): [string, BodyOf<K>][] {
    const found: [string, BodyOf<K>][] = [];
    for (const document of this.#shelves.get(kind)?.documents.values() ?? []) {
      const body = bodyOf<K>(document);
      if (body) found.push([document.id, body]);
    }
    return found.sort(([a], [b]) => Number(a) - Number(b) || (a < b ? -1 : 1));
  }

  isRetired(kind: Kind, id: string | number): boolean {
    return this.#shelves.get(kind)?.documents.get(String(id))?.retired ?? false;
  }

  retired<K extends Kind>(kind: K): BodyOf<K>[] {
    return [...(this.#shelves.get(kind)?.documents.values() ?? [])].flatMap(({ retired, body }) =>
      retired && readable(kind, body) ? [body as BodyOf<K>] : [],
    );
  }

  revision(stream: Stream): Revision {
    return this.#revisions.get(stream) ?? beginning;
  }

  mark(stream: Stream): string {
    return this.#marks.get(stream) ?? '';
  }

  onChange(listener: (stream: Stream) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every document, retired ones and unknown kinds too, in the order of their revisions. */
  documents(stream: Stream): Document[] {
    return [...this.#shelves.values()]
      .flatMap((shelf) => [...shelf.documents.values()])
      .filter((document) => document.stream === stream)
      .sort((a, b) => compareRevisions(a.revision, b.revision));
  }

  /** Take in a slice. A slice that does not lead forward changes nothing. */
  apply(slice: Slice): boolean {
    if (compareRevisions(slice.to, this.revision(slice.stream)) <= 0) return false;
    if (slice.whole) this.#clear(slice.stream);
    for (const document of slice.documents) this.#put(document);
    this.#revisions.set(slice.stream, slice.to);
    this.#marks.set(slice.stream, slice.mark ?? '');
    for (const listener of this.#listeners) listener(slice.stream);
    return true;
  }

  /** Forget sign-outs whose session ended long before `now` (ms since 1970, the hub's clock). No revision: everybody does so alone. */
  dropRevocations(now: number): void {
    const before = Math.floor(now / 1000) - revocationSlack;
    const shelf = this.#shelves.get('revocation');
    for (const [id, body] of this.entries('revocation')) if (body.until < before) shelf?.documents.delete(id);
  }

  /** Forget keys and whatever else nothing refers to that was retired `kept` changes of its stream ago or more. No revision, likewise. */
  dropRetired(kept: number): void {
    for (const kind of forgottenKinds) {
      const before = this.revision(streamOf(kind)).n - kept;
      const documents = this.#shelves.get(kind)?.documents;
      for (const [id, { retired, revision }] of documents ?? []) if (retired && revision.n <= before) documents?.delete(id);
    }
  }

  #clear(stream: Stream): void {
    for (const [kind, shelf] of this.#shelves) {
      const first = shelf.documents.values().next().value;
      if (first?.stream === stream) this.#shelves.delete(kind);
    }
  }

  #put(document: Document): void {
    let shelf = this.#shelves.get(document.kind);
    if (!shelf) this.#shelves.set(document.kind, (shelf = { documents: new Map(), idByName: new Map() }));
    const before = shelf.documents.get(document.id);
    const oldName = before && nameOf(before.body);
    if (oldName !== undefined && shelf.idByName.get(oldName) === document.id) shelf.idByName.delete(oldName);
    shelf.documents.set(document.id, document);
    const name = nameOf(document.body);
    if (name !== undefined && !document.retired && readable(document.kind, document.body)) shelf.idByName.set(name, document.id);
  }
}

function bodyOf<K extends Kind>(document: Document | undefined): BodyOf<K> | undefined {
  // `readable` has checked the body against the very schema that BodyOf is derived from.
  return document && !document.retired && readable(document.kind, document.body) ? (document.body as BodyOf<K>) : undefined;
}
