/** One reply for a bulk call in several cells: every machine has its outcome, also where its cell refused all of it, or did not answer. Pure. */
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { errors, fail, type ErrorCode } from '../contract/errors.ts';
import { Bulk, type BulkOutcome } from '../contract/resources/machine-bulk.ts';

type Outcome = Static<typeof BulkOutcome>;

const isBulk = Compile(Bulk);

/** What one cell's part came to. `sent`: the cell may have done it. */
export type Part = { readonly cell: string; readonly ids: readonly string[] } & (
  | { readonly value: unknown }
  | { readonly refused: { readonly code: ErrorCode; readonly text: string } }
  | { readonly sent: boolean }
);

function same(ids: readonly string[], outcome: 'refused' | 'unknown', code: ErrorCode, error: string): Outcome[] {
  return ids.map((system_id) => ({ system_id, outcome, operation: null, code, error }));
}

/** A code that the table of errors has; whatever a newer cell says is a bad request here. */
export function knownCode(code: unknown): ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errors, code) ? (code as ErrorCode) : 'bad_request';
}

function outcomesOf(part: Part): readonly Outcome[] {
  if ('refused' in part) return same(part.ids, 'refused', part.refused.code, part.refused.text);
  if ('value' in part && isBulk.Check(part.value)) {
    const told = new Map(part.value.outcomes.map((one) => [one.system_id, one]));
    // A cell says of its own machines what it likes, and of nobody else's.
    return part.ids.map((id) => told.get(id) ?? same([id], 'unknown', 'unknown_outcome', `Cell ${part.cell} says nothing of it.`)[0]!);
  }
  if ('value' in part || part.sent)
    return same(
      part.ids,
      'unknown',
      'unknown_outcome',
      `Cell ${part.cell} was asked and did not answer: it may have done it. Send the same call again with bulk= to be sure.`,
    );
  return same(part.ids, 'refused', 'cell_absent', `Cell ${part.cell} does not answer; nothing was asked of it.`);
}

/** The outcomes in the order of `asked`; ids that are no machine's are refused. */
export function mergeOutcomes(bulk: string, asked: readonly string[], parts: readonly Part[]): Static<typeof Bulk> {
  const told = new Map(parts.flatMap((part) => outcomesOf(part).map((one) => [one.system_id, one] as const)));
  const stranger = fail('not_found', { what: 'Machine' });
  const outcomes = [...new Set(asked)].map((id) => told.get(id) ?? same([id], 'refused', stranger.code, stranger.message)[0]!);
  const count = (outcome: Outcome['outcome']) => outcomes.filter((one) => one.outcome === outcome).length;
  return { bulk, done: count('done'), refused: count('refused'), unknown: count('unknown'), outcomes };
}
