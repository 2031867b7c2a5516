/**
 * Many machines, a few at a time: each chunk is one transaction with a number of statements that does not depend on how many it has. What
 * has been done stays done when the process dies, and the same call, sent again, goes on from there.
 */
import { fail, Failure } from '../../contract/errors.ts';
import { TransactionConflict, UniqueViolation } from '../../postgres/database-errors.ts';
import { LostRace, type CellDb } from '../db/cell-db.ts';
import type { ApiContext } from './api-context.ts';

/** Enough that the round trips do not count, and few enough that nobody waits long for a row that it holds. */
export const chunkSize = 200;
/** Bulk calls of one process that may be at work at once; each has one connection. */
export const mostCalls = 2;
const attempts = 3;

/** What was done to one machine. */
export type Outcome = { readonly systemId: string } & (
  | {
      readonly operation: number | null;
      /** Begun by the same call before: nothing was done now. */
      readonly replayed?: boolean;
    }
  | { readonly refused: Failure }
);

export type ChunkWork = (tx: CellDb, ids: readonly string[]) => Promise<readonly Outcome[]>;

const isNew = (one: Outcome): boolean => 'operation' in one && one.operation !== null && one.replayed !== true;

function lostRace(error: unknown): boolean {
  return error instanceof LostRace || error instanceof TransactionConflict || error instanceof UniqueViolation;
}

async function oneChunk(context: Pick<ApiContext, 'database'>, ids: readonly string[], work: ChunkWork): Promise<readonly Outcome[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await context.database.transaction((tx) => work(tx, ids));
    } catch (error) {
      if (!lostRace(error)) throw error;
      // Somebody else changed one of them between being judged and being changed: judge again, and when that goes on, fewer at a time.
      if (attempt < attempts) continue;
      const [systemId] = ids;
      if (ids.length <= 1) return systemId === undefined ? [] : [{ systemId, refused: fail('conflict', { what: `machine ${systemId}` }) }];
      const half = Math.ceil(ids.length / 2);
      return [...(await oneChunk(context, ids.slice(0, half), work)), ...(await oneChunk(context, ids.slice(half), work))];
    }
  }
}

/** What destroys counts against the cell's limit. */
export interface Destroying {
  /** Those that the same call has begun before: they need no room. */
  readonly before: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** For calls without a name, which are never sent again. */
export const nothingBefore: Destroying = { before: () => Promise.resolve(new Set()) };

/**
 * Do `work` chunk by chunk. `destroying`: at most as many as the cell's limit leaves room for; the others are refused.
 * @throws Failure `too_many_machines` before anything is done; what the database throws when it is away.
 */
export async function inChunks(
  context: Pick<ApiContext, 'database' | 'destructive' | 'bulkTurns' | 'killPoint'>,
  ids: readonly string[],
  destroying: Destroying | false,
  work: ChunkWork,
): Promise<Outcome[]> {
  const { destructive } = context;
  if (destroying) destructive.judgeCall(ids.length);
  return context.bulkTurns.run(async () => {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < ids.length; at += chunkSize) {
      const named = ids.slice(at, at + chunkSize);
      const granted = destroying ? destructive.reserve(named.length) : named.length;
      // Only where there is not room for all: otherwise the work tells what was begun before.
      const before = destroying && granted < named.length ? await destroying.before(named) : new Set<string>();
      const chunk = [...named.filter((id) => before.has(id)), ...named.filter((id) => !before.has(id))];
      const most = granted + before.size;
      const done = most === 0 ? [] : await oneChunk(context, chunk.slice(0, most), work);
      outcomes.push(...done);
      for (const systemId of chunk.slice(most)) outcomes.push({ systemId, refused: destructive.refusal(ids.length - at - most) });
      if (destroying) destructive.refund(granted - done.filter(isNew).length);
      context.killPoint('api_bulk:after-chunk');
    }
    return outcomes;
  });
}

/** For calls that are all or nothing, and judged before: somebody was faster with one of them. @throws the first refusal, and what was done. */
export function refuseHalf(outcomes: readonly Outcome[]): void {
  const refused = outcomes.flatMap((one) => ('refused' in one ? [one.refused] : []));
  const [first] = refused;
  if (!first) return;
  const done = outcomes.flatMap((one) => ('refused' in one ? [] : [one.systemId]));
  throw done.length === 0 ? first : new Failure(first.code, `${first.message}\nDone: ${done.join(', ')}.`);
}
