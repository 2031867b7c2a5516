import { describe, expect, test } from 'vitest';
import { allows, lifecycle, machineStates, type MachineState } from '../../src/contract/lifecycle.ts';
import { actionTable, allActions, disabledReason } from './action.ts';
import { base64 } from './perform.ts';

const admin = { username: 'root', admin: true };
const ann = { username: 'ann', admin: false };
const machine = (state: MachineState, more: { owner?: string; locked?: boolean; operation?: { kind: string } } = {}) => ({
  status: lifecycle[state].number,
  owner: null,
  locked: false,
  operation: null,
  ...more,
});

describe('actions', () => {
  test('an admin may do what the lifecycle allows, and nothing else', () => {
    for (const state of machineStates)
      for (const action of allActions.filter((each) => each !== 'unlock'))
        expect([state, action, disabledReason(machine(state), action, admin) === undefined]).toEqual([
          state,
          action,
          allows(state, action),
        ]);
  });

  test('each one that is not possible says why', () => {
    expect(disabledReason(machine('new'), 'deploy', admin)).toBe('Not while it is New; possible when Ready, Allocated, Failed deployment.');
    expect(disabledReason(machine('deployed', { locked: true }), 'release', admin)).toMatch(/locked/);
    expect(disabledReason(machine('deployed', { locked: true }), 'power_off', admin)).toBeUndefined();
    expect(disabledReason(machine('deployed', { locked: true }), 'unlock', admin)).toBeUndefined();
    expect(disabledReason(machine('deployed'), 'unlock', admin)).toMatch(/not locked/);
    expect(disabledReason(machine('deploying', { operation: { kind: 'deploy' } }), 'abort', admin)).toBeUndefined();
    expect(disabledReason(machine('ready', { operation: { kind: 'release' } }), 'deploy', admin)).toMatch(/busy: release/);
  });

  test('others have their own machines, and those that are free', () => {
    expect(disabledReason(machine('ready'), 'allocate', ann)).toBeUndefined();
    expect(disabledReason(machine('ready'), 'commission', ann)).toMatch(/admins/);
    expect(disabledReason(machine('deployed', { owner: 'bob' }), 'release', ann)).toBe('It belongs to bob.');
    expect(disabledReason(machine('deployed', { owner: 'ann' }), 'release', ann)).toBeUndefined();
  });

  test('whatever loses something asks first', () => {
    expect(allActions.filter((action) => actionTable[action].danger && actionTable[action].ask === null)).toEqual([]);
    expect(allActions.filter((action) => actionTable[action].danger)).toEqual(
      expect.arrayContaining(['release', 'delete', 'power_off', 'abort']),
    );
  });
});

test('user data travels as base64 of its UTF-8', () => {
  expect(Buffer.from(base64('#cloud-config\nü 漢 🙂'), 'base64').toString()).toBe('#cloud-config\nü 漢 🙂');
});
