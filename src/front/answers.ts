/** Asking many cells at once: who has answered by the deadline, who is absent, and what the caller is told of it. */
import { fail, type Failure } from '../contract/errors.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { Absent, type CellReply } from './cell-line.ts';
import type { CellEntry } from './cell-registry.ts';
import type { Encoded } from './encode-call.ts';
import { ask, type AskOptions, type FrontContext } from './front-context.ts';

export interface Answers {
  readonly asked: readonly CellEntry[];
  /** 2xx, in the order of the cells' numbers. */
  readonly good: readonly CellReply[];
  /** 4xx: the request itself was refused. */
  readonly refused: readonly CellReply[];
  readonly absent: readonly CellEntry[];
  /** Marked out by an operator: nobody asked them. */
  readonly out: readonly CellEntry[];
}

/** A cell whose own database is away, that is starting, or has not heard of the caller or of us yet, has not answered. */
function isSilence(reply: CellReply): boolean {
  return reply.status >= 500 || reply.status === 401;
}

/** Ask these cells, but for those that are out. Never fails for a cell's sake; replies that nobody reads must be dropped. */
export async function askAll(
  context: FrontContext,
  call: LooseCall,
  cells: readonly CellEntry[],
  encodedFor: (cell: CellEntry) => Encoded,
  options: AskOptions = {},
): Promise<Answers> {
  const asked = cells.filter((cell) => !cell.out);
  const replies = await Promise.all(
    asked.map(async (cell) => {
      try {
        return await ask(context, call, cell, encodedFor(cell), { ms: context.gatherMs, firstByte: true, ...options });
      } catch (error) {
        if (error instanceof Absent) return undefined;
        throw error;
      }
    }),
  );
  const answered = replies.filter((reply) => reply !== undefined);
  const silent = answered.filter(isSilence);
  drop(silent);
  const good = answered.filter((reply) => reply.status < 300);
  const refusedAll = answered.filter((reply) => reply.status >= 300 && !isSilence(reply));
  // Where others know what to do, a cell that refuses is behind: what it holds is as unknown as if it had not answered.
  const refused = good.length > 0 ? [] : refusedAll;
  if (refused.length === 0) drop(refusedAll);
  const heard = new Set([...good, ...refused].map((reply) => reply.cell));
  return { asked, good, refused, absent: asked.filter((cell) => !heard.has(cell)), out: cells.filter((cell) => cell.out) };
}

export function drop(replies: readonly CellReply[]): void {
  for (const reply of replies) reply.body.destroy();
}

export function namesOf(cells: readonly CellEntry[]): string {
  return cells.map((cell) => cell.name).join(',');
}

/** `asked=50 answered=49 absent=c17`. */
export function musterCells({
  asked,
  absent,
  out,
  drained = [],
}: Pick<Answers, 'asked' | 'absent' | 'out'> & { readonly drained?: readonly CellEntry[] }): string {
  const parts = [`asked=${asked.length}`, `answered=${asked.length - absent.length}`];
  if (absent.length > 0) parts.push(`absent=${namesOf(absent)}`);
  if (out.length > 0) parts.push(`out=${namesOf(out)}`);
  if (drained.length > 0) parts.push(`drained=${namesOf(drained)}`);
  return parts.join(' ');
}

/** Why a partial answer will not do. */
export function partialRefused(absent: readonly CellEntry[]): Failure {
  return fail('partial_refused', { absent: namesOf(absent) });
}

/** The longest reply that is read whole: counts, single pages of events, offers. */
const longestReply = 8 << 20;

/** Milliseconds for a body whose status line came at the last moment. */
const leastMs = 200;

/** A reply's body as text. @throws Absent when it breaks off, is too long, or is not whole by the call's deadline. */
export async function textOf(reply: CellReply): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  const expire = () => reply.body.destroy(new Error('late'));
  // What is here and only not read yet is not late.
  const timer = setTimeout(() => setImmediate(expire), Math.max(leastMs, reply.until - performance.now()));
  try {
    for await (const part of reply.body as AsyncIterable<Buffer>) {
      parts.push(part);
      size += part.length;
      if (size > longestReply) throw new Error(`more than ${longestReply} bytes`);
    }
  } catch (error) {
    throw new Absent(reply.cell, true, 'broke off', error);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A reply's body as JSON. @throws Absent when it is none. */
export async function jsonOf(reply: CellReply): Promise<unknown> {
  const text = await textOf(reply);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Absent(reply.cell, true, 'answered something that is no JSON', error);
  }
}
