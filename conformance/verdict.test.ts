import { expect, test } from 'vitest';
import { judge, showTable, type Known, type Outcome, type ProblemKind } from './verdict.ts';

const ok = (operation: string): Outcome => ({ operation, ok: true });
const bad = (operation: string, error: string): Outcome => ({ operation, ok: false, error });
const gone: Known = { client: 'a', operation: 'Pod.Get', error: '410 Gone', reason: 'no pods' };

const cases: readonly (readonly [string, readonly string[], readonly Outcome[], readonly Known[], readonly ProblemKind[]])[] = [
  ['all pass', ['A', 'B'], [ok('A'), ok('B'), ok('B')], [], []],
  ['one of several uses fails', ['A'], [ok('A'), bad('A', '500')], [], ['failed']],
  ['an operation without a scenario', ['A', 'B'], [ok('A')], [], ['never exercised']],
  ['a listed failure', ['Pod.Get'], [bad('Pod.Get', 'it said 410 Gone.')], [gone], []],
  ['a listed failure that fails otherwise', ['Pod.Get'], [bad('Pod.Get', '500')], [gone], ['fails otherwise']],
  ['a listed failure that passes', ['Pod.Get'], [ok('Pod.Get')], [gone], ['listed but passes']],
  ['a listed failure that nothing tries', ['Pod.Get'], [], [gone], ['never exercised']],
  ['an entry of another client', ['Pod.Get'], [bad('Pod.Get', '410 Gone')], [{ ...gone, client: 'b' }], ['failed']],
  ['an entry of the other target', ['Pod.Get'], [bad('Pod.Get', '410 Gone')], [{ ...gone, targets: ['front'] }], ['failed']],
  ['an entry of this target', ['Pod.Get'], [bad('Pod.Get', '410 Gone')], [{ ...gone, targets: ['cell'] }], []],
  ['an entry that no operation has', [], [], [gone], ['listed but gone']],
  ['one that cannot be used', ['Pod.Get'], [], [{ client: 'a', operation: 'Pod.Get', reason: 'needs a pod' }], []],
  [
    'one that cannot be used, and is',
    ['Pod.Get'],
    [ok('Pod.Get')],
    [{ client: 'a', operation: 'Pod.Get', reason: 'x' }],
    ['fails otherwise'],
  ],
  ['an outcome of something else', ['A'], [ok('A'), ok('C')], [], ['not an operation']],
];

test.each(cases)('%s', (_, operations, outcomes, known, kinds) => {
  const verdict = judge('a', 'cell', operations, outcomes, known);
  expect(verdict.problems.map(({ kind }) => kind)).toEqual(kinds);
  const outside = verdict.problems.filter(({ kind }) => kind === 'not an operation' || kind === 'listed but gone').length;
  expect(verdict.passed + verdict.known + verdict.problems.length - outside).toBe(operations.length);
});

test('the table has a line for each client and target, with what was counted', () => {
  const verdicts = [
    judge('a', 'cell', ['A', 'Pod.Get'], [ok('A'), bad('Pod.Get', '410 Gone')], [gone]),
    judge('a', 'front', ['A'], [], []),
  ];
  expect(
    showTable(verdicts)
      .split('\n')
      .map((line) => line.split(/\s{2,}/)),
  ).toEqual([
    ['client', 'target', 'operations', 'passed', 'known', 'failed'],
    ['a', 'cell', '2', '1', '1', '0'],
    ['a', 'front', '1', '0', '0', '1'],
  ]);
});
