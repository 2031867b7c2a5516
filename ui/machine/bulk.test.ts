import { describe, expect, test } from 'vitest';
import { lifecycle, type MachineState } from '../../src/contract/lifecycle.ts';
import { routes, type RouteId } from '../../src/contract/routes.ts';
import { ApiError } from '../../src/http/client.ts';
import { bulkActions, bulkTable, fitting, isUnderWay, progressOf, reasonsOf, type BulkOutcome } from './bulk.ts';

const admin = { username: 'root', admin: true };
const ann = { username: 'ann', admin: false };
const machine = (state: MachineState, more: { owner?: string; locked?: boolean } = {}) => ({
  status: lifecycle[state].number,
  owner: null,
  locked: false,
  operation: null,
  ...more,
});

test('work is looked at until none of it lives, also while an absent cell keeps it from being counted', () => {
  const counts = (live: number) => ({ operations: 9, by_outcome: { done: 9 - live, live }, by_kind: {}, waits_for_hands: 0 });
  const refused = (status: number) => new ApiError({ status, code: undefined, text: '', retryAfter: undefined, fields: undefined });
  expect([isUnderWay(undefined, null), isUnderWay(counts(1), null), isUnderWay(counts(0), null)]).toEqual([true, true, false]);
  expect([isUnderWay(counts(0), refused(503)), isUnderWay(counts(0), refused(403))]).toEqual([true, false]);
});

test('each action is a route, for whom its policy says', () => {
  for (const action of bulkActions) {
    const route = routes[`Machines.bulk_${action}` satisfies RouteId];
    expect([action, bulkTable[action].adminOnly]).toEqual([action, route.policy === 'admin']);
    const { names } = bulkTable[action];
    if (names !== null) expect(Object.keys(route.params)).toContain(names);
  }
});

describe('of the shown machines', () => {
  const shown = [
    machine('new'),
    machine('ready'),
    machine('deployed', { owner: 'ann' }),
    machine('deployed', { owner: 'bob', locked: true }),
  ];

  test('those take part that can', () => {
    expect(fitting(shown, 'commission', admin)).toEqual(shown.slice(0, 2));
    expect(fitting(shown, 'release', admin)).toEqual([shown[1], shown[2]]);
    expect(fitting(shown, 'release', ann)).toEqual([shown[2]]);
    expect(fitting(shown, 'tag', admin)).toEqual(shown);
    expect(fitting(shown, 'set_pool', admin)).toEqual(shown.slice(0, 3));
    expect(fitting(shown, 'tag', ann)).toEqual([]);
  });
});

test('why machines were not done: each reason once, the commonest first', () => {
  const one = (system_id: string, outcome: BulkOutcome['outcome'], error: string): BulkOutcome => ({
    system_id,
    outcome,
    operation: null,
    code: null,
    error,
  });
  const outcomes = [
    one('aaa', 'done', ''),
    one('bbb', 'refused', "Cannot commission a machine in the 'Deployed' state (bbb)."),
    one('ccc', 'unknown', 'Cell c2 was asked and did not answer.'),
    one('ddd', 'unknown', 'Cell c2 was asked and did not answer.'),
    one('eee', 'refused', 'Machine eee is locked.'),
    one('fff', 'refused', 'Machine fff is locked.'),
    one('ggg', 'refused', 'Machine ggg is locked.'),
  ];
  expect(reasonsOf(outcomes, (id) => id.toUpperCase())).toEqual([
    { outcome: 'refused', text: 'Machine … is locked.', machines: ['EEE', 'FFF', 'GGG'] },
    { outcome: 'unknown', text: 'Cell c2 was asked and did not answer.', machines: ['CCC', 'DDD'] },
    { outcome: 'refused', text: "Cannot commission a machine in the 'Deployed' state.", machines: ['BBB'] },
  ]);
});

test('progress is what has ended, whatever came of it', () => {
  const counts = {
    operations: 10,
    by_outcome: { live: 4, done: 3, failed: 2, aborted: 1 },
    by_kind: { commission: 10 },
    waits_for_hands: 0,
  };
  expect(progressOf(counts)).toEqual({ total: 10, ended: 6, failed: 3 });
});
