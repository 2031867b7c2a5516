import { expect, test } from 'vitest';
import { knownCode, mergeOutcomes, type Part } from './bulk-outcomes.ts';

const done = (system_id: string) => ({ system_id, outcome: 'done' as const, operation: 1, code: null, error: '' });
const told = (cell: string, ids: readonly string[], said: readonly string[]): Part => ({
  cell,
  ids,
  value: { bulk: 'b', done: said.length, refused: 0, unknown: 0, outcomes: said.map(done) },
});
const words = (asked: readonly string[], parts: readonly Part[]) =>
  mergeOutcomes('b', asked, parts).outcomes.map(({ system_id, outcome, code }) => [system_id, outcome, code]);

test('every machine once, in the order of the request, whatever its cell did', () => {
  const merged = mergeOutcomes(
    'b',
    ['x1', 'y1', 'z1', 'x2', 'w1', 'x1', 'v1'],
    [
      told('x', ['x1', 'x2'], ['x2', 'x1']),
      { cell: 'y', ids: ['y1'], refused: { code: 'too_many_machines', text: 'Too many.' } },
      { cell: 'z', ids: ['z1'], sent: true },
      { cell: 'w', ids: ['w1'], sent: false },
    ],
  );
  expect(merged).toMatchObject({ bulk: 'b', done: 2, refused: 3, unknown: 1 });
  expect(merged.outcomes.map(({ system_id, outcome, code, error }) => [system_id, outcome, code, error])).toEqual([
    ['x1', 'done', null, ''],
    ['y1', 'refused', 'too_many_machines', 'Too many.'],
    ['z1', 'unknown', 'unknown_outcome', expect.stringContaining('Cell z was asked and did not answer')],
    ['x2', 'done', null, ''],
    ['w1', 'refused', 'cell_absent', 'Cell w does not answer; nothing was asked of it.'],
    ['v1', 'refused', 'not_found', 'No Machine matches the given query.'],
  ]);
});

test('a cell speaks for its own machines only, and silence on one of them is unknown', () => {
  expect(words(['x1', 'x2', 'y1'], [told('x', ['x1', 'x2'], ['x1', 'y1']), { cell: 'y', ids: ['y1'], sent: false }])).toEqual([
    ['x1', 'done', null],
    ['x2', 'unknown', 'unknown_outcome'],
    ['y1', 'refused', 'cell_absent'],
  ]);
});

test('an answer that is none is no outcome', () => {
  expect(words(['x1'], [{ cell: 'x', ids: ['x1'], value: ['x1'] }])).toEqual([['x1', 'unknown', 'unknown_outcome']]);
});

test('codes are those of the table', () => {
  expect([knownCode('wrong_state'), knownCode('of the future'), knownCode(undefined)]).toEqual([
    'wrong_state',
    'bad_request',
    'bad_request',
  ]);
});
