import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lifecycle, machineStates, type MachineState } from '../src/contract/lifecycle.ts';
import { chosenStates, countStates, machineTest } from './machine-filter.ts';
import { patched, withAbsent, type MachineRow } from './machine-list.ts';
import { groupCounts, groupOf, statesIn, stateGroups } from './state-color.ts';

const named = (name: string) => ({ id: 1, name, description: '', resource_uri: '' });

function row(system_id: string, state: MachineState, more: Partial<MachineRow> = {}): MachineRow {
  return {
    system_id,
    hostname: `host-${system_id}`,
    cell: 'c1',
    status: lifecycle[state].number,
    status_since: '2026-01-01T00:00:00.000Z',
    power_state: 'off',
    power_state_at: null,
    power_evidence: '',
    owner: null,
    zone: named('default'),
    pool: named('default'),
    tag_names: [],
    locked: false,
    operation: null,
    architecture: 'amd64/generic',
    cpu_count: 1,
    memory: 1024,
    ...more,
  };
}

const rows = [
  row('a', 'ready', { tag_names: ['gpu'], zone: named('east') }),
  row('b', 'deployed', { owner: 'ann', cell: 'c2' }),
  row('c', 'ready', { owner: 'Gpu-Fan' }),
];
const ids = (search: Parameters<typeof machineTest>[0]) => rows.filter(machineTest(search)).map((one) => one.system_id);

describe('the filter', () => {
  test('a word looks everywhere, a named one in its field, several must all fit', () => {
    expect(ids({ q: 'gpu' })).toEqual(['a', 'c']);
    expect(ids({ q: 'tag:gpu' })).toEqual(['a']);
    expect(ids({ q: 'GPU zone:ea' })).toEqual(['a']);
    expect(ids({ q: 'nofield:x' })).toEqual([]);
    expect(ids({ q: '  ' })).toEqual(['a', 'b', 'c']);
  });

  test('states and cell', () => {
    expect(ids({ status: 'ready' })).toEqual(['a', 'c']);
    expect(ids({ status: 'ready,deployed', cell: 'c2' })).toEqual(['b']);
    expect(chosenStates({ status: 'ready,constructor,,x' })).toEqual(['ready']);
  });

  test('chips count what the chips themselves do not choose', () => {
    expect([...countStates(rows, { q: 'gpu', status: 'deployed' })]).toEqual([['ready', 2]]);
  });

  test('no text breaks it, and none finds what is not there', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (q, status) => {
        expect(['a', 'b', 'c']).toEqual(expect.arrayContaining(ids({ q, status })));
      }),
    );
  });
});

describe('the list', () => {
  test('what events name is replaced, what is gone goes, what is new comes', () => {
    const fresh = [row('b', 'ready'), row('d', 'new')];
    const next = patched(rows, ['b', 'c', 'd'], fresh);
    expect(next.map((one) => one.system_id)).toEqual(['a', 'b', 'd']);
    expect(next[1]?.status).toBe(lifecycle.ready.number);
    expect(next[0]).toBe(rows[0]);
  });

  test('machines of an absent cell stay as they were last seen, and say so', () => {
    const next = withAbsent([row('a', 'ready')], rows, ['c2']);
    expect(next.map((one) => [one.system_id, one.stale ?? false])).toEqual([
      ['a', false],
      ['b', true],
    ]);
    expect(withAbsent(rows, rows, [])).toBe(rows);
  });
});

test('every state has a group, and groups lose nobody', () => {
  expect(stateGroups.flatMap(statesIn).toSorted()).toEqual([...machineStates].toSorted());
  expect(groupOf('failed_deployment')).toBe('failed');
  expect(groupOf('releasing')).toBe('working');
  const each = Object.fromEntries(machineStates.map((state) => [state, 1]));
  expect(groupCounts({ ...each, unheard_of: 5 }).reduce((sum, { count }) => sum + count, 0)).toBe(machineStates.length);
});
