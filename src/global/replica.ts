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
  dropRetired,
  dropRevocations,
  ensureStreams,
  lockRevision,
  moveRevision,
  putDocuments,
  putOrigin,
  readOrigin,
} from './db/document-store.ts';
import { asGlobalDatabase, type GlobalTables } from './db/global-tables.ts';
import type { Slice } from './document.ts';
import type { HubTrust, TrustedKey } from './hub-trust.ts';
import { GlobalMemory } from './memory.ts';
import { beginning, compareRevisions, formatRevision, keptChanges, streams, type Revision, type Stream } from './revision.ts';
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
  /**
   * Judge a batch as it came and apply it if it is good. Never throws for what the batch says; throws when the database is away.
   * `renew`: asked to look for a new key when the hub's key has not signed it; the batch is judged again if the trusted key has changed.
   */
  accept(stream: Stream, text: string, renew?: () => Promise<void>): Promise<Judgement['verdict']>;
  /** Read what another process of the same cell has applied. */
  refresh(): Promise<void>;
  /** Forget what has lost its meaning by `now`, ms since 1970 by the hub's clock. `kept`: for tests. */
  trim(now: number, kept?: number): Promise<void>;
}

export interface ReplicaOptions {
  /** Who may sign batches: one key, or a trust that moves with the hub's key. */
  readonly hubKey: KeyObject | HubTrust;
  readonly findings: FindingDoor;
  /** Bytes that a batch of changes may have; default 64 MiB. A snapshot may have six times as many. */
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
  return {
    memory,
    accept: acceptor(home, memory, options),
    refresh: async () => undefined,
    trim: async (now, kept = keptChanges) => {
      memory.dropRevocations(now);
      memory.dropRetired(kept);
    },
  };
}

/** A joined cell's replica: in its own migrated PostgreSQL, read back at the next start whether or not the hub is there. */
export async function databaseReplica<Schema>(given: Database<Schema>, options: ReplicaOptions): Promise<Replica> {
  const database = asGlobalDatabase(given);
  const memory = new GlobalMemory();
  const refresh = async () => void (await refreshMemory(database, memory));
  await adopt(database, options.hubKey);
  await refresh();
  const home: Home = async (stream, judge) => {
    const judgement = await database.transaction(async (tx) => {
      const position = await lockRevision(tx, stream);
      const judged = judge(position && warm(position));
      if (judged.verdict === 'apply') await store(tx, judged.slice);
      return judged;
    });
    // Behind the commit: NOTIFY within it holds PostgreSQL's one notification lock through its fsync, and of 50 cells over one server each
    // would wait for all others at every revision. Lost, it costs the cell's other processes their timer, 5 s.
    if (judgement.verdict === 'apply') announce(database.db, stream).catch(() => undefined);
    await refresh();
    return judgement;
  };
  const trim = async (now: number, kept = keptChanges): Promise<void> => {
    memory.dropRevocations(now);
    await dropRevocations(database.db, now);
    memory.dropRetired(kept);
    await dropRetired(database.db, (stream) => memory.revision(stream), kept);
  };
  return { memory, accept: acceptor(home, memory, options), refresh, trim };
}

/**
 * Positions count for one hub only: of another one, or of the cell's own time as an authority, they are forgotten, and the hub's snapshot
 * replaces what there is.
 */
async function adopt(database: Database<GlobalTables>, given: KeyObject | HubTrust): Promise<void> {
  await ensureStreams(database.db, beginning.epoch);
  const trust = 'follow' in given ? given : undefined;
  const stored = await readOrigin(database.db);
  // Another process of this cell was told of a new key while this one was away.
  if (trust && stored && stored.hubKey !== trust.now().hubKey) await trust.follow(stored.rotations);
  const present = (): TrustedKey => trust?.now() ?? { hubKey: publicKeyText(given as KeyObject), rotations: [] };
  await database.transaction(async (tx) => {
    for (const stream of streams) await lockRevision(tx, stream);
    const origin = await readOrigin(tx);
    if (origin?.hubKey === present().hubKey) return;
    const isSameHub = origin !== undefined && trust?.wasTrusted(origin.hubKey) === true;
    if (!isSameHub) for (const stream of streams) await moveRevision(tx, stream, beginning);
    await putOrigin(tx, present());
  });
  trust?.onChange((trusted) => putOrigin(database.db, trusted));
}

async function store(tx: Database<GlobalTables>['db'], slice: Slice): Promise<void> {
  if (slice.whole) await clearDocuments(tx, slice.stream);
  await putDocuments(tx, slice.documents);
  await moveRevision(tx, slice.stream, slice.to, slice.mark);
}

function warm(position: Revision): Revision | undefined {
  return compareRevisions(position, beginning) === 0 ? undefined : position;
}

function acceptor(home: Home, memory: GlobalMemory, { hubKey, findings, largest }: ReplicaOptions): Replica['accept'] {
  const keys = () => ('follow' in hubKey ? hubKey.batchKeys() : [hubKey]);
  return async (stream, text, renew) => {
    const judge = (trusted: readonly KeyObject[]) => home(stream, (position) => judgeBatch(text, trusted, stream, position, largest));
    const before = keys();
    let judgement = await judge(before);
    if (judgement.verdict === 'refuse' && judgement.reason === 'unsigned') {
      await renew?.().catch(() => undefined);
      // It may have been the poll of the other stream that followed.
      if (keys()[0] !== before[0]) judgement = await judge(keys());
    }
    if (judgement.verdict === 'refuse') {
      const data = { reason: `${judgement.reason}, ${judgement.text}`, revision: formatRevision(memory.revision(stream)) };
      await findings.report({ kind: 'refused_batch', subject: stream, data });
    }
    return judgement.verdict;
  };
}
