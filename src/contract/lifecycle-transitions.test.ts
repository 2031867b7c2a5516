/** Which state may follow which (maas-api.md §4), and that nothing here leads anywhere else but where a difference is written down. */
import { expect, test } from 'vitest';
import { lifecycle, machineStates, type Action, type MachineState } from './lifecycle.ts';
import { operations } from './operation.ts';

/** MAAS's transitions by number: from → to. */
const maas: Readonly<Record<number, readonly number[]>> = {
  0: [1, 21, 3, 4, 7, 8, 17],
  1: [2, 4, 7, 3, 0, 8, 21],
  2: [1, 3, 7, 8, 17, 21],
  3: [0, 4, 10, 1, 8, 17, 21],
  4: [17, 1, 10, 5, 7, 3, 8, 21],
  5: [4, 10, 7, 3, 8, 14, 12, 17, 21],
  6: [10, 3, 8, 4, 14, 12, 17, 21],
  7: [0, 4, 3, 8, 17, 21],
  8: [1, 4, 14, 12, 17, 21, 6],
  9: [10, 3, 8, 11, 6, 4, 14, 12],
  10: [4, 7, 3, 8, 9, 14, 12, 17, 21],
  11: [10, 3, 8, 4, 14, 12, 17, 21],
  12: [0, 10, 5, 6, 4, 8, 3, 11, 15, 13],
  13: [12, 14, 4, 8, 21],
  14: [8, 14, 15, 4, 12],
  15: [14, 12, 8, 10, 4, 17, 21],
  16: [8, 19, 21],
  17: [4, 8, 6, 16, 18, 19],
  18: [8, 17, 19, 21],
  19: [0, 8, 2, 4, 5, 10, 11, 6, 3, 7, 13, 15, 16, 18, 20, 22],
  20: [8, 19, 21],
  21: [8, 0, 4, 5, 10, 6, 1, 11, 3, 7, 13, 15, 18, 20, 22],
  22: [1, 8, 3, 17, 21, 4, 6],
};

/** What an action makes of a machine at once. Locking and power change no state; what is deleted has none. */
const begins: Readonly<Partial<Record<Action, readonly MachineState[]>>> = {
  commission: ['commissioning'],
  test: ['testing'],
  allocate: ['allocated'],
  deploy: ['deploying'],
  release: ['releasing', 'disk_erasing'],
  rescue_mode: ['entering_rescue_mode'],
  exit_rescue_mode: ['exiting_rescue_mode'],
  mark_broken: ['broken'],
};

/** Written down in docs/compatibility.md. */
const differences = [
  // Trying again keeps the machine; MAAS wants it released first, and somebody else may get it.
  'failed_deployment deploy deploying',
  // A Ready machine is allocated and deployed in one step.
  'ready deploy deploying',
  // Releasing a Ready machine is nothing, one that is being released as well.
  'ready release releasing',
  'ready release disk_erasing',
  'releasing release releasing',
  'releasing release disk_erasing',
  // Leaving rescue mode failed: go in again.
  'failed_to_exit_rescue_mode rescue_mode entering_rescue_mode',
];

function unknown(from: MachineState, action: Action): string[] {
  return (begins[action] ?? []).flatMap((to) =>
    maas[lifecycle[from].number]?.includes(lifecycle[to].number) === true ? [] : [`${from} ${action} ${to}`],
  );
}

test('what may be asked in a state leads where MAAS lets it lead', () => {
  const found = machineStates.flatMap((from) => lifecycle[from].on.flatMap((action) => unknown(from, action)));
  expect(found.toSorted()).toEqual(differences.toSorted());
});

test('what MAAS lets people ask can be asked', () => {
  const asked = ['commission', 'test', 'release', 'rescue_mode', 'mark_broken'] as const;
  const missing = machineStates.flatMap((from) =>
    asked.flatMap((action) => {
      const [to] = begins[action] ?? [];
      const may = to !== undefined && maas[lifecycle[from].number]?.includes(lifecycle[to].number) === true;
      return may && !(lifecycle[from].on as readonly Action[]).includes(action) ? [`${from} ${action}`] : [];
    }),
  );
  // An operation in full course is aborted first; nothing here ever makes a machine reserved or retired.
  expect(missing).toEqual([
    'commissioning test',
    'reserved test',
    'reserved rescue_mode',
    'retired test',
    'retired rescue_mode',
    'disk_erasing release',
    'rescue_mode test',
    'failed_to_enter_rescue_mode test',
    'failed_to_exit_rescue_mode test',
    // Where a test that was asked for while commissioning goes back to.
    'testing commission',
  ]);
});

test('operations end where MAAS lets them end', () => {
  for (const rule of Object.values(operations)) {
    const from = lifecycle[rule.during].number;
    for (const to of [rule.done, rule.failed]) expect(maas[from], `${rule.during} to ${to}`).toContain(lifecycle[to].number);
  }
});
