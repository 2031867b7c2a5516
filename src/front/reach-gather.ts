/**
 * `gather`: every cell is asked, and one answer made of theirs. Absent cells are named in `Muster-Cells`, never hidden: whoever names a
 * thing, or says `Muster-Partial: refuse`, is refused with 503 where it could be in an absent cell.
 */
import { fail, type Failure } from '../contract/errors.ts';
import type { Route } from '../contract/route.ts';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { askAll, drop, jsonOf, musterCells, namesOf, partialRefused, type Answers } from './answers.ts';
import { passed } from './cell-reply.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { refuseUnheard, type CellEntry } from './cell-registry.ts';
import { encodeCall, type Encoded } from './encode-call.ts';
import { mergeEventPages } from './event-page.ts';
import { gatherStream } from './event-merge.ts';
import { absence, ask, type FrontContext, type Reach } from './front-context.ts';
import { fieldsToAsk, gatherList, pageShare } from './gather-list.ts';
import { listOrder } from './list-order.ts';
import { mergeKind, mergeReplies } from './merge-values.ts';
import { cellsNamed } from './named-cells.ts';

/** The cells in which what a call names can live: all, unless ids say more. @throws Failure `cell_absent` for a cell that is not heard of yet. */
export function targetsOf(
  { registry }: Pick<FrontContext, 'registry'>,
  route: Pick<Route, 'names'>,
  call: Pick<LooseCall, 'fields'>,
): readonly CellEntry[] {
  const named = cellsNamed(route.names, call.fields);
  if (named !== undefined) refuseUnheard(registry, named);
  const cells = registry.list();
  return named === undefined ? cells : cells.filter((cell) => named.has(cell.number));
}

/** May cells be missing from the answer? */
function mayBePartial(route: Pick<Route, 'partial' | 'names'>, call: Pick<LooseCall, 'fields' | 'request'>): boolean {
  const refuses = call.request.headers['muster-partial'] === 'refuse';
  return route.partial && !refuses && !route.names.some((name) => Object.hasOwn(call.fields, name));
}

/** Why these answers will not do; undefined when they will. */
function shortfall(route: Pick<Route, 'partial' | 'names'>, call: LooseCall, answers: Answers): Failure | undefined {
  if (answers.absent.length === 0) return undefined;
  if (!mayBePartial(route, call)) return partialRefused(answers.absent);
  return answers.good.length === 0 ? fail('cell_absent', { cell: namesOf(answers.absent) }) : undefined;
}

/** Small replies to their ends. A cell that breaks off or stalls in the middle is absent. */
async function readWhole(answers: Answers): Promise<{ readonly whole: Answers; readonly replies: readonly unknown[] }> {
  const read = await Promise.all(
    answers.good.map(async (reply) => {
      try {
        return { reply, value: await jsonOf(reply) };
      } catch (error) {
        if (error instanceof Absent) return undefined;
        throw error;
      }
    }),
  );
  const there = read.filter((one) => one !== undefined);
  const good = there.map(({ reply }) => reply);
  const heard = new Set(good.map((reply) => reply.cell));
  return {
    whole: { ...answers, good, absent: answers.asked.filter((cell) => !heard.has(cell)) },
    replies: there.map(({ value }) => value),
  };
}

/** Before something is done in all cells: is each of them there? @throws Failure `partial_refused`. */
async function refuseUnlessAllAreThere(context: FrontContext, call: LooseCall, cells: readonly CellEntry[]): Promise<void> {
  const version = await encodeCall(routes['Version.read'], { path: {}, fields: {}, files: [], body: undefined });
  const answers = await askAll(context, call, cells, () => version);
  drop(answers.good);
  drop(answers.refused);
  if (answers.absent.length > 0) throw partialRefused(answers.absent);
}

export const reachGather: Reach = async (context, { id, route }, call) => {
  const kind = mergeKind(route);
  const cells = targetsOf(context, route, call);
  if (kind === 'stream') return gatherStream(context, route, call, cells);
  if (route.method !== 'GET') await refuseUnlessAllAreThere(context, call, cells);
  const several = cells.filter((cell) => !cell.out).length > 1;
  if (kind === 'page' && several && ['before', 'after'].some((name) => Object.hasOwn(call.fields, name))) {
    const reason =
      'An id orders the events of one cell only: page through one cell, at /cell/NAME/MAAS/api/2.0/events/, or name a machine with id=.';
    throw fail('bad_request', { reason });
  }
  const order = kind === 'list' ? listOrder(id, call.fields) : undefined;
  const fields = fieldsToAsk(call.fields, order);
  const encoded = await encodeCall(route, { ...call, fields });
  const ms = route.method === 'GET' ? context.gatherMs : context.callMs;
  const isPage = kind === 'list' && Object.hasOwn(route.params, 'limit') && Object.hasOwn(fields, 'limit');
  const share = isPage
    ? pageShare(
        fields,
        order,
        cells.filter((cell) => !cell.out),
      )
    : undefined;
  const encodedFor = new Map<CellEntry, Encoded>();
  if (share) {
    const encodedOf = (limit: number) => encodeCall(route, { ...call, fields: { ...fields, limit: [String(limit)] } });
    for (const cell of cells) encodedFor.set(cell, await encodedOf(share(cell)));
  }
  const answers = await askAll(context, call, cells, (cell) => encodedFor.get(cell) ?? encoded, { ms });
  call.reply.header('Muster-Cells', musterCells(answers));
  const [refused, ...others] = answers.refused;
  if (refused) {
    drop(others);
    return passed(refused);
  }
  const short = shortfall(route, call, answers);
  if (short && kind !== 'either') {
    drop(answers.good);
    throw short;
  }
  try {
    const more = async (cell: CellEntry, after: string, limit: number): Promise<CellReply> => {
      const next = await encodeCall(route, { ...call, fields: { ...fields, after: [after], limit: [String(limit)] } });
      const reply = await ask(context, call, cell, next, { ms, firstByte: true });
      if (reply.status === 200) return reply;
      reply.body.destroy();
      throw new Absent(cell, true, `answered ${reply.status}`);
    };
    const page = share && { limit: Number(fields['limit']?.at(-1)), share, more };
    if (kind === 'list') return await gatherList(answers.good, call, { order, page });
    const [only] = answers.good;
    if (kind === 'page' && only && !several) return passed(only);
    if (kind === 'nothing') {
      drop(answers.good);
      return null;
    }
    const { whole, replies } = await readWhole(answers);
    call.reply.header('Muster-Cells', musterCells(whole));
    const missing = shortfall(route, call, whole);
    if (missing && kind !== 'either') throw missing;
    if (kind === 'page') return mergeEventPages(replies, call.fields['limit']?.at(-1));
    const merged = mergeReplies(kind, replies);
    // One cell that says yes is enough; nobody may say no for an absent one.
    if (missing && merged !== true) throw missing;
    return merged;
  } catch (error) {
    drop(answers.good);
    throw absence(error, { method: 'GET' }, call);
  }
};
