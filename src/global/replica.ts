/**
 * A replica of global config: applies what the hub signed, each batch whole or not at all, and keeps the last good state whatever comes.
 * A joined cell keeps it in PostgreSQL, a front in memory only; the judgement is the same (`batch.ts`).
 */
import type { KeyObject } from 'node:crypto';
import type { Database } from '../postgres/database.ts';
import { refreshMemory } from './authority.ts';
import { judgeBatch, type Judgement } from './batch.ts';
import {
  announce,
  clearDocuments,
  ensureStreams,
  lockRevision,
  moveRevision,
  putDocuments,
  putOrigin,
  readOrigin,
} from './db/document-store.ts';
import { asGlobalDatabase, type GlobalTables } from './db/global-tables.ts';
import type { Slice } from './document.ts';
import { GlobalMemory } from './memory.ts';
import { beginning, compareRevisions, formatRevision, streams, type Revision, type Stream } from './revision.ts';
import { publicKeyText } from './signing-key.ts';

/** Where a program's findings go. */
export interface FindingDoor {
  /** Something an operator should look at; `data` fills the blanks of the kind's text. The same kind and subject again is the same finding. */
  report(finding: {
    readonly kind: 'refused_batch' | 'hub_lag';
    readonly subject: string;
    readonly data: Readonly<Record<string, string | number>>;
  }): Promise<void> | void;
}

export interface Replica {
  readonly memory: GlobalMemory;
  /** Judge a batch as it came and apply it if it is good. Never throws for what the batch says; throws when the database is away. */
  accept(stream: Stream, text: string): Promise<Judgement['verdict']>;
  /** Read what another process of the same cell has applied. */
  refresh(): Promise<void>;
}

export interface ReplicaOptions {
  readonly hubKey: KeyObject;
  readonly findings: FindingDoor;
  /** Bytes a batch may have; default 64 MiB. */
  readonly largest?: number;
}

/** Applies a judged slice to a home if its position still is what it was judged against. */
type Home = (stream: Stream, judge: (position: Revision | undefined) => Judgement) => Promise<Judgement>;

/** A front's replica: gone with the process. */
export function memoryReplica(options: ReplicaOptions): Replica {
  const memory = new GlobalMemory();
  const home: Home = async (stream, judge) => {
    const judgement = judge(warm(memory.revision(stream)));
    if (judgement.verdict === 'apply') memory.apply(judgement.slice);
    return judgement;
  };
  return { memory, accept: acceptor(home, memory, options), refresh: async () => undefined };
}

/** A joined cell's replica: in its own migrated PostgreSQL, read back at the next start whether or not the hub is there. */
export async function databaseReplica<Schema>(given: Database<Schema>, options: ReplicaOptions): Promise<Replica> {
  const database = asGlobalDatabase(given);
  const memory = new GlobalMemory();
  const refresh = () => refreshMemory(database, memory);
  await adopt(database, publicKeyText(options.hubKey));
  await refresh();
  const home: Home = async (stream, judge) => {
    const judgement = await database.transaction(async (tx) => {
      const position = await lockRevision(tx, stream);
      const judged = judge(position && warm(position));
      if (judged.verdict === 'apply') await store(tx, judged.slice);
      return judged;
    });
    await refresh();
    return judgement;
  };
  return { memory, accept: acceptor(home, memory, options), refresh };
}

/**
 * Positions count for one hub only: of another one, or of the cell's own time as an authority, they are forgotten, and the hub's snapshot
 * replaces what there is.
 */
async function adopt(database: Database<GlobalTables>, hubKey: string): Promise<void> {
  await ensureStreams(database.db, beginning.epoch);
  await database.transaction(async (tx) => {
    for (const stream of streams) await lockRevision(tx, stream);
    if ((await readOrigin(tx)) === hubKey) return;
    for (const stream of streams) await moveRevision(tx, stream, beginning);
    await putOrigin(tx, hubKey);
  });
}

async function store(tx: Database<GlobalTables>['db'], slice: Slice): Promise<void> {
  if (slice.whole) await clearDocuments(tx, slice.stream);
  await putDocuments(tx, slice.documents);
  await moveRevision(tx, slice.stream, slice.to);
  await announce(tx, slice.stream);
}

function warm(position: Revision): Revision | undefined {
  return compareRevisions(position, beginning) === 0 ? undefined : position;
}

function acceptor(home: Home, memory: GlobalMemory, { hubKey, findings, largest }: ReplicaOptions): Replica['accept'] {
  return async (stream, text) => {
    const judgement = await home(stream, (position) => judgeBatch(text, hubKey, stream, position, largest));
    if (judgement.verdict === 'refuse') {
      const data = { reason: `${judgement.reason}, ${judgement.text}`, revision: formatRevision(memory.revision(stream)) };
      await findings.report({ kind: 'refused_batch', subject: stream, data });
    }
    return judgement.verdict;
  };
}
