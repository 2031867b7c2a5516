/** `split`: a bulk call on many ids, grouped by cell and done in parallel. Every outcome is told: what is not done is named with its ids. */
import { Failure, fail, type ErrorCode, errors } from '../contract/errors.ts';
import { bytes } from '../http/reply.ts';
import { Absent, type CellReply } from './cell-line.ts';
import type { CellEntry } from './cell-registry.ts';
import { encodeCall, type Fields } from './encode-call.ts';
import { ask, forward, type FrontContext, type Reach } from './front-context.ts';
import { jsonOf, textOf } from './answers.ts';
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

function codeOf(reply: CellReply): ErrorCode {
  const code = reply.headers['muster-error'];
  return typeof code === 'string' && Object.hasOwn(errors, code) ? (code as ErrorCode) : 'bad_request';
}

export const reachSplit: Reach = async (context, { route }, call) => {
  const { shares, strangers } = sharesOf(context.registry.list(), idLists(route), call.fields);
  const [first] = shares;
  if (strangers.length > 0 || !first) {
    const [only, ...more] = context.registry.list();
    if (only && more.length === 0) return forward(context, route, call, only);
    if (strangers.length === 0) throw fail('bad_request', { reason: 'Name at least one machine.' });
    throw fail('bad_request', { reason: `Unknown machine(s): ${strangers.slice(0, 50).join(', ')}.` });
  }
  if (shares.length === 1) return forward(context, route, call, first.cell);
  refuseAbsent(context, shares);
  const outcomes = await Promise.all(
    shares.map(async (share): Promise<Outcome> => {
      try {
        const reply = await ask(context, call, share.cell, await encodeCall(route, { ...call, fields: share.fields }), { keyed: true });
        if (reply.status >= 300) return { share, refused: reply, text: await textOf(reply) };
        return { share, value: reply.status === 204 ? null : await jsonOf(reply) };
      } catch (error) {
        if (error instanceof Absent) return { share, absent: error };
        throw error;
      }
    }),
  );
  const failed = outcomes.filter((outcome) => !('value' in outcome));
  const values = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
  if (failed.length === 0) return mergeKind(route) === 'list' ? values.flat() : addUp(values);
  return tell(
    failed,
    outcomes.filter((outcome) => 'value' in outcome),
  );
};

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
      return { ...bytes(text, 'text/plain; charset=utf-8', refused.status), headers: { 'muster-error': codeOf(refused) } };
  }
  throw new Failure('cell_absent', text);
}
