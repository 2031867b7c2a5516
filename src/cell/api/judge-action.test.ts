/** Every action in every state, for every kind of asker: the lifecycle's table decides, and nothing beside it. */
import { describe, expect, test } from 'vitest';
import { allowedWhileLocked, allows, lifecycle, machineStates, type Action, type MachineState } from '../../contract/lifecycle.ts';
import type { MachineGuard } from '../db/machine-guard.ts';
import { refuseAction } from './judge-action.ts';
import { fixedState, overriddenState } from './machine-marks.ts';
import { sumUp } from './script-status.ts';

const guard = (state: MachineState, rest: Partial<MachineGuard> = {}): MachineGuard => ({
  system_id: '334abcd',
  hostname: 'h',
  status: lifecycle[state].number,
  previous_status: 0,
  generation: 0,
  locked: false,
  owner: 'ann',
  architecture: 'amd64/generic',
  power_type: 'manual',
  osystem: '',
  operation: null,
  origin: null,
  was_commissioned: true,
  ...rest,
});
const actions = [...new Set(machineStates.flatMap((state) => lifecycle[state].on as readonly Action[]))];
const ann = { username: 'ann', admin: false };
const bob = { username: 'bob', admin: false };
const admin = { username: 'root', admin: true };
const code = (given: MachineGuard, action: Action, asker: typeof ann) => refuseAction(given, action, asker)?.code;

describe.each(machineStates)('%s', (state) => {
  test.each(actions)('%s', (action) => {
    const may = allows(state, action) ? undefined : 'wrong_state';
    expect([code(guard(state), action, ann), code(guard(state), action, admin)]).toEqual([may, may]);
    expect(code(guard(state), action, bob)).toBe('not_owner');
    const free = state === 'ready' && (action === 'deploy' || action === 'release');
    expect(code(guard(state, { owner: null }), action, bob)).toBe(free ? undefined : 'forbidden');
    const locked = code(guard(state, { locked: true }), action, ann);
    if (!allowedWhileLocked.includes(action)) expect(locked).toBe('wrong_state');
    else expect(locked).toBe(action === 'unlock' ? undefined : may);
  });
});

test('a machine that is worked on is busy, except for what stops the work', () => {
  const busy = { operation: { id: 1, kind: 'test', step: 'start' } } as const;
  expect(code(guard('deployed', busy), 'power_off', ann)).toBe('machine_busy');
  expect(code(guard('deployed', busy), 'delete', admin)).toBe('machine_busy');
  expect(code(guard('testing', busy), 'abort', ann)).toBeUndefined();
  expect(code(guard('deploying', busy), 'release', ann)).toBeUndefined();
});

test('where a fixed or overridden machine goes', () => {
  const before = (state: MachineState, owner: string | null, was_commissioned = true) =>
    fixedState({ owner, was_commissioned, previous_status: lifecycle[state].number });
  expect([before('deployed', 'ann'), before('deploying', 'ann'), before('allocated', 'ann'), before('releasing', 'ann')]).toEqual([
    'deployed',
    'failed_deployment',
    'allocated',
    'ready',
  ]);
  expect([before('ready', null), before('new', null, false)]).toEqual(['ready', 'new']);
  expect([
    overriddenState({ owner: null, osystem: '' }),
    overriddenState({ owner: 'a', osystem: '' }),
    overriddenState({ owner: 'a', osystem: 'debian' }),
  ]).toEqual(['ready', 'allocated', 'deployed']);
});

test('many scripts are as bad as their worst, and as unfinished as their slowest', () => {
  expect([sumUp([]).number, sumUp([2, 2]).name, sumUp([2, 3]).name, sumUp([2, 3, 1]).name, sumUp([2, 0]).name, sumUp([9]).name]).toEqual([
    -1,
    'Passed',
    'Failed',
    'Running',
    'Pending',
    'Skipped',
  ]);
});
