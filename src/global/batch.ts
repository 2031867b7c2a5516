/**
 * What travels on the replica feed, and the judgement of it: a pure function that either gives a slice to apply or a reason to refuse the
 * whole batch. A refused batch leaves everything as it was (architecture §7).
 */
import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Document, Slice } from './document.ts';
import { kinds, streamOf } from './kinds.ts';
import { compareRevisions, formatRevision, type Revision, type Stream } from './revision.ts';
import { seal, unseal, peekSeal } from './seal.ts';

const number = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const RevisionShape = Type.Object({ epoch: number, n: number });

const BatchShape = Type.Object({
  stream: Type.Union([Type.Literal('access'), Type.Literal('config')]),
  /** `changes` leads from `from` to `to`; `snapshot` is all there is at `to`. */
  form: Type.Union([Type.Literal('changes'), Type.Literal('snapshot')]),
  from: RevisionShape,
  to: RevisionShape,
  /** The random word of the write that led to `to`: a replica says it when it asks for more. */
  mark: Type.Optional(Type.String({ maxLength: 64 })),
  documents: Type.Array(
    Type.Object({
      kind: Type.String({ minLength: 1, maxLength: 64 }),
      id: Type.String({ minLength: 1, maxLength: 256 }),
      revision: RevisionShape,
      retired: Type.Boolean(),
      body: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
});

export type Batch = Static<typeof BatchShape>;

const batchCheck = Compile(BatchShape);

/** Of changes. Seals are longer than their JSON by a third; the hub cuts at 16 MiB of JSON, so more is a mistake or an attack. */
export const largestBatch = 64 * 1024 * 1024;
/** A snapshot cannot be cut. 384 MiB: the longest string that V8 has is 512 MiB, and a replica reads that many in some ten seconds. */
const snapshotTimes = 6;

export type Judgement =
  | { readonly verdict: 'apply'; readonly slice: Slice }
  /** Nothing new: the same position again. */
  | { readonly verdict: 'nothing' }
  | { readonly verdict: 'refuse'; readonly reason: RefusalReason; readonly text: string };

export type RefusalReason = 'oversized' | 'not_json' | 'unsigned' | 'malformed' | 'older' | 'gap';

function refuse(reason: RefusalReason, text: string): Judgement {
  return { verdict: 'refuse', reason, text };
}

/** Seal a batch with the hub's private key. */
export function sealBatch(key: KeyObject, batch: Batch): string {
  return seal(key, 'batch', batch);
}

/**
 * May this text be applied by a replica that is at `position` of `stream` (undefined: it has nothing) and trusts `key` (any of several)?
 * `largest`: bytes that changes may have; a snapshot may have six times as many.
 */
export function judgeBatch(
  text: string,
  key: KeyObject | readonly KeyObject[],
  stream: Stream,
  position: Revision | undefined,
  largest: number = largestBatch,
): Judgement {
  const oversized = (limit: number) => refuse('oversized', `a batch of ${text.length} bytes; the limit is ${limit}`);
  if (text.length > largest * snapshotTimes) return oversized(largest * snapshotTimes);
  if (peekSeal(text) === undefined) return refuse('not_json', 'a batch that is no sealed JSON');
  const claims = unsealAny([key].flat(), text);
  if (claims === undefined) return refuse('unsigned', "a batch that the hub's key did not sign");
  if (!batchCheck.Check(claims)) return refuse('malformed', 'a signed batch of an unknown shape');
  if (claims.form === 'changes' && text.length > largest) return oversized(largest);
  if (claims.stream !== stream) return refuse('malformed', `a batch of the stream ${claims.stream} where ${stream} was asked for`);
  return judgeOrder(claims, position);
}

function unsealAny(keys: readonly KeyObject[], text: string): unknown {
  for (const key of keys) {
    const claims = unseal(key, 'batch', text);
    if (claims !== undefined) return claims;
  }
  return undefined;
}

function judgeOrder(batch: Batch, position: Revision | undefined): Judgement {
  const { stream, from, to } = batch;
  const ahead = position === undefined ? 1 : compareRevisions(to, position);
  const describe = `from ${formatRevision(from)} to ${formatRevision(to)}, we are at ${position ? formatRevision(position) : 'the beginning'}`;
  if (ahead < 0) return refuse('older', `an older batch: ${describe}`);
  if (ahead === 0) return { verdict: 'nothing' };
  if (batch.form === 'changes') {
    if (position === undefined || compareRevisions(from, position) !== 0)
      return refuse('gap', `changes that do not follow on: ${describe}`);
    if (from.epoch !== to.epoch) return refuse('malformed', `changes across epochs: ${describe}`);
    if (!rises(batch)) return refuse('malformed', `changes outside their own bounds: ${describe}`);
  }
  const documents = batch.documents.map((document): Document => ({ ...document, stream }));
  if (documents.some((document) => knownElsewhere(document.kind, stream)))
    return refuse('malformed', `documents of another stream in ${stream}`);
  const { mark = '' } = batch;
  return { verdict: 'apply', slice: { stream, to, mark, whole: batch.form === 'snapshot', documents } };
}

function rises({ from, to, documents }: Batch): boolean {
  let last: Revision = from;
  for (const { revision } of documents) {
    if (compareRevisions(revision, last) <= 0 || compareRevisions(revision, to) > 0) return false;
    last = revision;
  }
  return true;
}

/** A zone in the access stream would be cleared with it; unknown kinds may travel in either. */
function knownElsewhere(kind: string, stream: Stream): boolean {
  return (kinds as readonly string[]).includes(kind) && streamOf(kind) !== stream;
}
