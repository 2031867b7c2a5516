/** `split`: a bulk call on many ids, grouped by cell and done in parallel. Every outcome is told: what is not done is named with its ids. */
import { randomUUID } from 'node:crypto';
import { Failure, fail, type ErrorCode } from '../contract/errors.ts';
import { BulkId } from '../contract/resources/machine-bulk.ts';
import type { Route } from '../contract/route.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { bytes } from '../http/reply.ts';
import { Compile } from 'typebox/compile';
import { jsonOf, textOf } from './answers.ts';
import { knownCode, mergeOutcomes, type Part } from './bulk-outcomes.ts';
import { Absent, type CellReply } from './cell-line.ts';
import { refuseUnheard, type CellEntry } from './cell-registry.ts';
import { encodeCall, type Fields } from './encode-call.ts';
import { ask, forward, type FrontContext, type Reach } from './front-context.ts';
import { addUp, mergeKind } from './merge-values.ts';
import { cellOfText, idLists } from './named-cells.ts';

interface Share {
  readonly cell: CellEntry;
  readonly fields: Fields;
  readonly ids: readonly string[];
}

type Outcome = { readonly share: Share } & (
  | { readonly value: unknown }
  | { readonly refused: CellReply; readonly text: string }
  | { readonly absent: Absent }
);

/** Each cell's part of the ids; `strangers` are ids of no cell. Order is kept. */
export function sharesOf(
  cells: readonly CellEntry[],
  lists: readonly string[],
  fields: Fields,
): { readonly shares: readonly Share[]; readonly strangers: readonly string[] } {
  const listed = lists.flatMap((name) => (fields[name] ?? []).map((id) => ({ name, id, cell: cellOfText(id) })));
  const known = new Set(cells.map((cell) => cell.number));
  const strangers = listed.filter(({ cell }) => cell === undefined || !known.has(cell)).map(({ id }) => id);
  const rest = Object.fromEntries(Object.entries(fields).filter(([name]) => !lists.includes(name)));
  const shares = cells.flatMap((cell) => {
    const mine = listed.filter((one) => one.cell === cell.number);
    if (mine.length === 0) return [];
    const given = lists.map((name) => [name, mine.filter((one) => one.name === name).map(({ id }) => id)] as const);
    return [{ cell, ids: mine.map(({ id }) => id), fields: { ...rest, ...Object.fromEntries(given.filter(([, ids]) => ids.length > 0)) } }];
  });
  return { shares, strangers };
}

/** Nothing is begun anywhere while a cell that must do its part is known not to answer. */
function refuseAbsent(context: FrontContext, shares: readonly Share[]): void {
  const away = shares.find(({ cell }) => cell.out || !context.line.usable(cell));
  if (away) throw fail('cell_absent', { cell: away.cell.name });
}

async function askShare(context: FrontContext, route: Route, call: LooseCall, share: Share): Promise<Outcome> {
  try {
    const reply = await ask(context, call, share.cell, await encodeCall(route, { ...call, fields: share.fields }), { keyed: true });
    if (reply.status >= 300) return { share, refused: reply, text: await textOf(reply) };
    return { share, value: reply.status === 204 ? null : await jsonOf(reply) };
  } catch (error) {
    if (error instanceof Absent) return { share, absent: error };
    throw error;
  }
}

/** All or nothing in each cell, as MAAS has it; nothing at all where a cell is known to be absent. */
export const reachSplit: Reach = async (context, entry, call) => {
  const { route } = entry;
  const named = idLists(route).flatMap((name) => (call.fields[name] ?? []).flatMap((id) => cellOfText(id) ?? []));
  refuseUnheard(context.registry, new Set(named));
  if (route.strangers === 'told') return tellEach(context, route, call);
  const { shares, strangers } = sharesOf(context.registry.list(), idLists(route), call.fields);
  const [first] = shares;
  if (!first || (strangers.length > 0 && route.strangers === 'refused')) {
    // Where no id is any cell's, one cell says what it thinks of that: an unknown tag, ids of nobody, none at all.
    const [any, ...more] = context.registry.list();
    if (any && (more.length === 0 || (!first && route.strangers === 'ignored'))) return forward(context, route, call, any);
    if (strangers.length === 0) throw fail('bad_request', { reason: 'Name at least one machine.' });
    throw fail('bad_request', { reason: `Unknown machine(s): ${strangers.slice(0, 50).join(', ')}.` });
  }
  if (shares.length === 1) return forward(context, route, call, first.cell, { ...call, fields: first.fields });
  refuseAbsent(context, shares);
  const outcomes = await Promise.all(shares.map((share) => askShare(context, route, call, share)));
  const failed = outcomes.filter((outcome) => !('value' in outcome));
  const values = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
  if (failed.length === 0) return mergeKind(route) === 'list' ? values.flat() : addUp(values);
  return tell(
    failed,
    outcomes.filter((outcome) => 'value' in outcome),
  );
};

const isBulkId = Compile(BulkId);

/** An outcome for each machine: what can be done is done, whatever is in the way of the rest. */
async function tellEach(context: FrontContext, route: Route, call: LooseCall): Promise<unknown> {
  const lists = idLists(route);
  const key = call.request.idempotencyKey;
  const bulk = call.fields['bulk']?.at(-1) ?? (isBulkId.Check(key) ? key : randomUUID());
  const asked = lists.flatMap((name) => call.fields[name] ?? []);
  const { shares } = sharesOf(context.registry.list(), lists, { ...call.fields, bulk: [bulk] });
  const parts = await Promise.all(
    shares.map(async (share): Promise<Part & { readonly reply?: CellReply }> => {
      const part = { cell: share.cell.name, ids: share.ids };
      if (share.cell.out || !context.line.usable(share.cell)) return { ...part, sent: false };
      const outcome = await askShare(context, route, call, share);
      if ('value' in outcome) return { ...part, value: outcome.value };
      if ('absent' in outcome) return { ...part, sent: outcome.absent.sent };
      const { refused, text } = outcome;
      // A cell that cannot tell right now may have done some of it; one that does not know the caller is behind and has done nothing.
      if (refused.status >= 500) return { ...part, sent: true };
      if (refused.status === 401 && context.asserts) return { ...part, sent: false };
      return { ...part, refused: { code: knownCode(refused.headers['muster-error']), text }, reply: refused };
    }),
  );
  // What every cell refuses as a whole was wrong with the call itself.
  const [first] = parts;
  if (first?.reply && parts.every((part) => part.reply?.status === first.reply?.status) && 'refused' in first) {
    const { code, text } = first.refused;
    return {
      ...bytes(text, String(first.reply.headers['content-type'] ?? 'text/plain'), first.reply.status),
      headers: refusalHeaders(code, first.reply),
    };
  }
  return mergeOutcomes(bulk, asked, parts);
}

function refusalHeaders(code: ErrorCode, reply: CellReply): Record<string, string> {
  const after = reply.headers['retry-after'];
  return { 'muster-error': code, ...(typeof after === 'string' ? { 'retry-after': after } : {}) };
}

/** One reply for an outcome that is not the same everywhere. The first failing cell gives status and code. */
function tell(failed: readonly Outcome[], done: readonly Outcome[]) {
  const lines = failed.map((outcome) => {
    const { cell, ids } = outcome.share;
    const why = 'text' in outcome ? outcome.text.trim() : 'did not answer: it may have done it, or not.';
    return `Cell ${cell.name} (${ids.join(', ')}): ${why}`;
  });
  if (done.length > 0) lines.push(`Done: ${done.flatMap(({ share }) => share.ids).join(', ')}.`);
  const text = lines.join('\n');
  const [first] = failed;
  if (first && 'refused' in first) {
    const { refused } = first;
    if (refused.status < 500)
      return {
        ...bytes(text, 'text/plain; charset=utf-8', refused.status),
        headers: { 'muster-error': knownCode(refused.headers['muster-error']) },
      };
  }
  throw new Failure('cell_absent', text);
}
