/**
 * How far this hub's revisions have come, kept in a file outside PostgreSQL. A dump that is put back into the same server leaves
 * transaction ids rising, so the epoch file alone would not notice. Where this file has been put back too, replicas notice by the word that
 * comes with every revision (`feed.ts`).
 */
import { readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { beginEpochIfBehind } from '../global/authority.ts';
import { beginning, compareRevisions, formatRevision, streams, type Revision, type Stream } from '../global/revision.ts';
import { replaceFile } from '../global/signing-key.ts';
import type { Database } from '../postgres/database.ts';

const number = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const RevisionShape = Type.Object({ epoch: number, n: number });
const check = Compile(Type.Object({ access: RevisionShape, config: RevisionShape }));

/** Nobody waits for the file: a revocation must not. What the last moments before a crash lack, a dump of just those moments would have to hit. */
const writeMs = 100;

export interface RevisionMark extends AsyncDisposable {
  /** The stream has come to `revision`. The file says so soon; `onTrouble` is told when it cannot be written. */
  note(stream: Stream, revision: Revision): void;
}

async function readMark(file: string): Promise<Map<Stream, Revision>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (check.Check(value)) return new Map(streams.map((stream) => [stream, value[stream]] as const));
  throw new Error(`${file} is damaged. Remove it, and then run: ./muster hub new-epoch`);
}

/**
 * Open the mark, before the authority opens. A database that is behind it begins a new epoch; `onRestored` is told from where.
 * @throws Error when the file is damaged.
 */
export async function openRevisionMark<Schema>(
  database: Database<Schema>,
  file: string,
  told: { readonly onRestored: (was: string) => void; readonly onTrouble: (error: unknown) => void },
): Promise<RevisionMark> {
  const known = await readMark(file);
  if (known.size > 0 && (await beginEpochIfBehind(database, known)))
    told.onRestored([...known].map(([stream, revision]) => `${stream} ${formatRevision(revision)}`).join(', '));
  const wanted = new Map(known);
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (): Promise<void> => {
    const next = new Map(streams.map((stream) => [stream, wanted.get(stream) ?? beginning]));
    try {
      await replaceFile(file, `${JSON.stringify(Object.fromEntries(next))}\n`);
    } catch (error) {
      told.onTrouble(error);
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    return (writing = writing.then(write));
  };
  return {
    note: (stream, revision) => {
      if (compareRevisions(wanted.get(stream) ?? beginning, revision) >= 0) return;
      wanted.set(stream, revision);
      timer ??= setTimeout(() => void flush(), writeMs).unref();
    },
    [Symbol.asyncDispose]: async () => {
      if (timer) await flush();
      await writing;
    },
  };
}
