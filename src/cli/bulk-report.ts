/** Bulk calls on a terminal: which machines are meant, what came of each, and how far the work has come. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type Client, type ClientReply } from '../http/client.ts';
import { shown } from './table.ts';

export type BulkReply = ClientReply<'Machines.bulk_commission'>;
type Counts = ClientReply<'Operations.summary'>;

/** Milliseconds between two looks. */
const every = 2_000;

/** The words of a file, `-` for standard input: one system_id each, under a head or not, as `muster machines read fields=system_id` lists them. */
export async function idsFrom(file: string): Promise<string[]> {
  const content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  const ids = content.split(/[\s,]+/).filter((word) => word !== '' && word !== 'system_id');
  if (ids.length === 0) throw new Error(`${file === '-' ? 'Standard input' : file} names no machine.`);
  return ids;
}

/** Counts, then a line for every machine that was not done. Pure. */
export function bulkText({ bulk, done, refused, unknown, outcomes }: BulkReply): string {
  const rest = outcomes
    .filter((one) => one.outcome !== 'done')
    .map((one) => `${shown(one.system_id)}  ${one.outcome}: ${shown(one.error)}\n`);
  return `bulk ${bulk}: ${done} done, ${refused} refused, ${unknown} unknown\n${rest.join('')}`;
}

/** `1997 operations: 400 done, 5 failed, 1592 under way, 3 of them wait for hands`. Pure. */
export function progressText({ operations, by_outcome: by, waits_for_hands: hands }: Counts): string {
  const parts = (['done', 'failed', 'aborted'] as const).flatMap((outcome) =>
    (by[outcome] ?? 0) > 0 ? [`${by[outcome]} ${outcome}`] : [],
  );
  const live = by['live'] ?? 0;
  if (live > 0) parts.push(`${live} under way${hands > 0 ? `, ${hands} of them wait for hands` : ''}`);
  return `${operations} operations: ${parts.join(', ') || 'none'}`;
}

/** How far it is; undefined while that cannot be said: where a cell is absent, it may be working on its part. */
async function countsOf(client: Client, bulk: string): Promise<Counts | undefined> {
  try {
    return await client.call('Operations.summary', {}, { bulk: [bulk] });
  } catch (error) {
    if (error instanceof ApiError && error.status === 503) return undefined;
    throw error;
  }
}

/** Print how far the operations of a bulk call are whenever that changes, until all have ended. Returns how many did not come to a good end. */
export async function watchBulk(client: Client, bulk: string, write: (text: string) => void, ms = every): Promise<number> {
  for (let last = ''; ;) {
    const counts = await countsOf(client, bulk);
    const line = counts ? progressText(counts) : 'not every cell answers; asking again';
    if (line !== last) write(`${line}\n`);
    last = line;
    if (!counts) {
      await sleep(ms);
      continue;
    }
    const { live = 0, done = 0 } = counts.by_outcome;
    if (live === 0) return counts.operations - done;
    await sleep(ms);
  }
}
