/** An authority that becomes a replica: what a cell that stood alone has of its own, and the moment at which it is the hub's. */
import {
  announce,
  clearDocuments,
  lockRevision,
  moveRevision,
  putDocuments,
  putOrigin,
  readOrigin,
  readSlice,
  type GlobalDb,
} from './db/document-store.ts';
import { dropClientSecrets } from './db/client-secret-store.ts';
import { dropVerifiers, readVerifier } from './db/verifier-store.ts';
import { handedKinds } from '../contract/resources/hand-over.ts';
import type { Document } from './document.ts';
import type { HandedDocument } from './hand-over.ts';
import type { TrustedKey } from './hub-trust.ts';
import { nameOf, streamOf } from './kinds.ts';
import { streams } from './revision.ts';

/** Behind every revision of every hub, and not the very beginning: what is there counts until the hub's snapshot replaces it. */
const beforeTheHub = { epoch: 0, n: 1 };
const latest = { epoch: Number.MAX_SAFE_INTEGER, n: Number.MAX_SAFE_INTEGER };

/** What an authority has, retired things apart; undefined when the database is a replica already, or was never started. */
export async function readOwn(db: GlobalDb): Promise<Document[] | undefined> {
  if ((await readOrigin(db)) !== undefined) return undefined;
  const slices = await Promise.all(streams.map((stream) => readSlice(db, stream, undefined, latest)));
  return slices.flatMap(({ documents }) => documents).filter(({ retired }) => !retired);
}

/** Every fleet starts with zone 1 and pool 0, called default. */
function isDefault({ kind, id, body }: Document): boolean {
  return body['name'] === 'default' && ((kind === 'zone' && id === '1') || (kind === 'pool' && id === '0'));
}

/** What is not handed over: a hub has its own. */
const ownOfTheHub = ['boot_source', 'boot_source_selection', 'license_key', 'notification', 'file', 'oidc_provider'];

/** What would be lost if the hub's simply took its place, in words: `user admin`. Keys are lost with their users, histories with their scripts. */
export function wouldBeLost(documents: readonly Document[]): string[] {
  const counted: ReadonlySet<string> = new Set([...handedKinds, ...ownOfTheHub]);
  return documents
    .filter((document) => counted.has(document.kind) && !['token', 'sshkey', 'sslkey'].includes(document.kind) && !isDefault(document))
    .map(({ kind, id, body }) => `${kind.replaceAll('_', ' ')} ${nameOf(body) ?? id}`);
}

/** What is handed over of it. Users come with what their passwords are checked against. */
export async function toHandOver(db: GlobalDb, documents: readonly Document[]): Promise<HandedDocument[]> {
  const handed: HandedDocument[] = [];
  for (const kind of handedKinds) {
    for (const { id, body } of documents.filter((document) => document.kind === kind)) {
      const verifier = kind === 'user' ? await readVerifier(db, Number(id)) : undefined;
      handed.push({ kind, id, body, ...(verifier === undefined ? {} : { verifier }) });
    }
  }
  return handed;
}

/** How many of each kind stay behind: images and where they come from are the hub's. */
export function staysBehind(documents: readonly Document[]): Map<string, number> {
  const counts = new Map<string, number>();
  const handed: ReadonlySet<string> = new Set([...handedKinds, 'script_revision', 'revocation', 'notification_dismissal', 'image_import']);
  for (const { kind } of documents) if (!handed.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/**
 * Be the hub's replica from this transaction on, with what the hub said it has. No password can be guessed from this database any more, and
 * no authority opens it again.
 */
export async function becomeReplica(
  tx: GlobalDb,
  hub: TrustedKey,
  documents: readonly Pick<Document, 'kind' | 'id' | 'body'>[],
): Promise<void> {
  for (const stream of streams) {
    await lockRevision(tx, stream);
    await clearDocuments(tx, stream);
    await moveRevision(tx, stream, beforeTheHub);
    await announce(tx, stream);
  }
  await putDocuments(
    tx,
    documents.map(({ kind, id, body }) => ({ kind, id, body, stream: streamOf(kind), revision: beforeTheHub, retired: false })),
  );
  await dropVerifiers(tx);
  await dropClientSecrets(tx);
  await putOrigin(tx, hub);
}
