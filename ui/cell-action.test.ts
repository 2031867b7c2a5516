import { expect, test } from 'vitest';
import { actionsIn } from './cell-action.ts';
import { standingOf } from './cell-list.ts';

const labels = (state: Parameters<typeof actionsIn>[0]) => actionsIn(state).map(({ label }) => label);

test('a cell goes out of use before it can be retired, and does not come back from that', () => {
  expect(labels('in')).toEqual(['Drain', 'Mark out']);
  expect(labels('drained')).toEqual(['Take back in', 'Mark out', 'Retire']);
  expect(labels('out')).toEqual(['Take back in', 'Retire']);
  expect(labels('retired')).toEqual([]);
});

test('what is irreversible or hides something is said as a danger', () => {
  for (const action of [...actionsIn('in'), ...actionsIn('drained')])
    expect([action.label, action.danger]).toEqual([action.label, action.state === 'out' || action.state === 'retired']);
});

test.each([
  ['in', true, 'answering'],
  ['in', false, 'absent'],
  ['in', null, 'registered'],
  ['drained', true, 'drained'],
  ['drained', false, 'absent'],
  ['drained', null, 'drained'],
  ['out', null, 'out'],
  ['retired', null, 'retired'],
] as const)('a cell that is %s and answers %s is shown as %s', (state, answering, standing) => {
  expect(standingOf({ state, answering })).toBe(standing);
});
