/** Statements on global documents. Every function takes `db` first; a transaction is just another `db`. */
import { sql, type Kysely, type Selectable } from 'kysely';
import type { Document, Slice } from '../document.ts';
import { forgottenKinds, streamOf } from '../kinds.ts';
import type { TrustedKey } from '../hub-trust.ts';
import { revocationSlack } from '../session.ts';
import { compareRevisions, streams, type Revision, type Stream } from '../revision.ts';
import type { DocumentRow, GlobalTables } from './global-tables.ts';

export type GlobalDb = Kysely<GlobalTables>;

/** Where a stream is, with the random word of the write that led there. */
export type MarkedRevision = Revision & { readonly mark: string };

/** What other processes on the same database listen to. */
export const globalChannel = 'muster_global';

/** How far each stream of this database is; streams that nobody has written are missing. */
export async function readRevisions(db: GlobalDb): Promise<Map<Stream, MarkedRevision>> {
  const rows = await db.selectFrom('global_revision').selectAll().execute();
  return new Map(rows.map(({ stream, epoch, n, mark }) => [stream, { epoch, n, mark }]));
}

/** The stream's position, locked until the transaction ends: whoever holds it is the only writer. */
export async function lockRevision(db: GlobalDb, stream: Stream): Promise<MarkedRevision | undefined> {
  return db.selectFrom('global_revision').select(['epoch', 'n', 'mark']).where('stream', '=', stream).forUpdate().executeTakeFirst();
}

/** The hub whose replica this database is, by its key and the announcements that led to it; undefined when it is an authority's. */
export async function readOrigin(db: GlobalDb): Promise<TrustedKey | undefined> {
  const row = await db.selectFrom('global_origin').select(['hub_key', 'rotations']).executeTakeFirst();
  return row && { hubKey: row.hub_key, rotations: row.rotations };
}

export async function putOrigin(db: GlobalDb, { hubKey, rotations }: TrustedKey): Promise<void> {
  const row = { hub_key: hubKey, rotations: [...rotations] };
  await db
    .insertInto('global_origin')
    .values(row)
    .onConflict((conflict) => conflict.column('one').doUpdateSet(row))
    .execute();
}

/** Makes sure that there are rows to lock. */
export async function ensureStreams(db: GlobalDb, epoch: number): Promise<void> {
  await db
    .insertInto('global_revision')
    .values(streams.map((stream) => ({ stream, epoch, n: 0 })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** `mark`: the word of the write that led here. */
export async function moveRevision(db: GlobalDb, stream: Stream, { epoch, n }: Revision, mark = ''): Promise<void> {
  await db.updateTable('global_revision').set({ epoch, n, mark }).where('stream', '=', stream).execute();
}

/**
 * What changed after `after`, up to `to` (both of one stream): everything when `after` is of another epoch.
 * Retired documents are included.
 */
export async function readSlice(
  db: GlobalDb,
  stream: Stream,
  after: Revision | undefined,
  { epoch, n, mark = '' }: Revision & { readonly mark?: string },
): Promise<Slice> {
  const to = { epoch, n };
  const whole = after === undefined || after.epoch !== to.epoch;
  let query = db.selectFrom('global_document').selectAll().where('stream', '=', stream);
  if (!whole) query = query.where('epoch', '=', to.epoch).where('n', '>', after.n);
  const rows = await query
    .where(({ eb, refTuple, tuple }) => eb(refTuple('epoch', 'n'), '<=', tuple(to.epoch, to.n)))
    .orderBy('epoch')
    .orderBy('n')
    .execute();
  return { stream, to, mark, whole, documents: rows.map(documentOf) };
}

/** Up to `limit` entries of the log after `after`, oldest first: the last is the one whose body reaches `bytes` in all, or an earlier one. */
export async function readChanges(
  db: GlobalDb,
  stream: Stream,
  after: Revision,
  { limit, bytes }: { readonly limit: number; readonly bytes: number },
): Promise<(Document & { mark: string })[]> {
  const next = db
    .selectFrom('global_change')
    .select(['kind', 'id', 'stream', 'epoch', 'n', 'retired', 'body', 'mark'])
    .where('stream', '=', stream)
    .where('epoch', '=', after.epoch)
    .where('n', '>', after.n)
    .orderBy('n')
    .limit(limit)
    .as('next');
  const size = sql`octet_length(body::text)`;
  const sized = db
    .selectFrom(next)
    .selectAll()
    .select(sql<number>`sum(${size}) over (order by n) - ${size}`.as('bytes_before'))
    .as('sized');
  const rows = await db
    .selectFrom(sized)
    .select(['kind', 'id', 'stream', 'epoch', 'n', 'retired', 'body', 'mark'])
    .where('bytes_before', '<', bytes)
    .orderBy('n')
    .execute();
  return rows.map((row) => ({ ...documentOf(row), mark: row.mark }));
}

/** The word of the write that led to `revision`, by the log; undefined where it does not reach back. */
export async function readMark(db: GlobalDb, stream: Stream, { epoch, n }: Revision): Promise<string | undefined> {
  const row = await db
    .selectFrom('global_change')
    .select('mark')
    .where('stream', '=', stream)
    .where('epoch', '=', epoch)
    .where('n', '=', n)
    .executeTakeFirst();
  return row?.mark;
}

/** Does the log reach back to `after`, so that changes can be served from there? */
export async function logReachesBack(db: GlobalDb, stream: Stream, after: Revision, to: Revision): Promise<boolean> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from global_change
    where stream = ${stream} and epoch = ${after.epoch} and n in (${after.n + 1}, ${to.n})`.execute(db);
  return (rows[0]?.count ?? 0) === (to.n === after.n + 1 ? 1 : 2);
}

/** Stays below PostgreSQL's 65,535 parameters of a statement. */
const rowsAtOnce = 1_000;

/** Store documents as they are. */
export async function putDocuments(db: GlobalDb, documents: readonly Document[]): Promise<void> {
  const latest = new Map<string, Document>();
  for (const document of documents) {
    const key = `${document.kind}\n${document.id}`;
    const known = latest.get(key);
    if (!known || compareRevisions(known.revision, document.revision) < 0) latest.set(key, document);
  }
  const rows = [...latest.values()].map(rowOf);
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    await db
      .insertInto('global_document')
      .values(rows.slice(start, start + rowsAtOnce))
      .onConflict((conflict) =>
        conflict.columns(['kind', 'id']).doUpdateSet((eb) => ({
          stream: eb.ref('excluded.stream'),
          epoch: eb.ref('excluded.epoch'),
          n: eb.ref('excluded.n'),
          retired: eb.ref('excluded.retired'),
          body: eb.ref('excluded.body'),
        })),
      )
      .execute();
  }
}

export async function clearDocuments(db: GlobalDb, stream: Stream): Promise<void> {
  await db.deleteFrom('global_document').where('stream', '=', stream).execute();
}

export async function appendChanges(db: GlobalDb, by: string, mark: string, documents: readonly Document[]): Promise<void> {
  for (let start = 0; start < documents.length; start += rowsAtOnce) {
    const rows = documents.slice(start, start + rowsAtOnce).map((document) => ({ ...rowOf(document), by, mark }));
    await db.insertInto('global_change').values(rows).execute();
  }
}

/** Empty what the log has of these files: entries of what was in them before, up to a MiB each, are nobody's to read any more. */
export async function emptyLoggedFiles(db: GlobalDb, keys: readonly string[]): Promise<void> {
  await sql`
    update global_change set body = body || '{"content": "", "size": 0}'
    where stream = 'config' and kind = 'file' and id = any (${keys as string[]}::text[]) and body->>'content' <> ''`.execute(db);
}

/** Forget the oldest entries of the log; the newest `kept` of each stream stay. */
export async function dropOldChanges(db: GlobalDb, kept: number): Promise<void> {
  for (const stream of streams) {
    await sql`
      delete from global_change where stream = ${stream} and (epoch, n) < (
        select epoch, n from global_change where stream = ${stream} order by epoch desc, n desc offset ${kept - 1} limit 1)`.execute(db);
  }
}

/** Forget sign-outs whose session ended more than an hour before `now` (ms since 1970, the hub's clock): nobody would accept it anyway. */
export async function dropRevocations(db: GlobalDb, now: number): Promise<void> {
  const before = Math.floor(now / 1000) - revocationSlack;
  await sql`delete from global_document where kind = 'revocation' and (body->>'until')::bigint < ${before}`.execute(db);
}

/**
 * Forget what nothing refers to (`forgottenKinds`) and was retired `kept` changes ago or more, which is below the log of the hub: nobody asks
 * for what it was. `at`: how far each stream is.
 */
export async function dropRetired(db: GlobalDb, at: (stream: Stream) => Revision, kept: number): Promise<void> {
  for (const stream of streams) {
    await db
      .deleteFrom('global_document')
      .where(
        'kind',
        'in',
        forgottenKinds.filter((kind) => streamOf(kind) === stream),
      )
      .where('retired', '=', true)
      .where('n', '<=', at(stream).n - kept)
      .execute();
  }
}

/** Wakes the other processes when the transaction commits. */
export async function announce(db: GlobalDb, stream: Stream): Promise<void> {
  await sql`select pg_notify(${globalChannel}, ${stream})`.execute(db);
}

/** The next integer id of cell 0. */
export async function drawId(db: GlobalDb): Promise<number> {
  const { rows } = await sql<{ id: number }>`select nextval('global_id') as id`.execute(db);
  return rows[0]!.id;
}

/** After a restore: ids that were drawn and lost must not be given to something else. */
export async function skipIds(db: GlobalDb, by: number): Promise<void> {
  await sql`select setval('global_id', (select last_value from global_id) + ${by}::bigint)`.execute(db);
}

function documentOf({ epoch, n, ...row }: Selectable<DocumentRow>): Document {
  return { kind: row.kind, id: row.id, stream: row.stream, revision: { epoch, n }, retired: row.retired, body: row.body };
}

function rowOf({ kind, id, stream, revision, retired, body }: Document) {
  return { kind, id, stream, epoch: revision.epoch, n: revision.n, retired, body: JSON.stringify(body) };
}
