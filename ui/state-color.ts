/** How a machine's state is drawn: a few groups, each with a colour of its own; the name is always there as text too. */
import { lifecycle, machineStates, type MachineState } from '../src/contract/lifecycle.ts';

export type StateGroup = 'new' | 'ready' | 'deployed' | 'working' | 'failed' | 'held';

/** In the order in which bars are drawn. */
export const stateGroups: readonly StateGroup[] = ['deployed', 'working', 'ready', 'new', 'held', 'failed'];

export const groupNames: Readonly<Record<StateGroup, string>> = {
  deployed: 'Deployed',
  working: 'In work',
  ready: 'Ready',
  new: 'New',
  held: 'Held',
  failed: 'Failed',
};

/** Failed before in work: the table says what is settled, the name what went wrong. */
export function groupOf(state: MachineState): StateGroup {
  if (state === 'new' || state === 'ready' || state === 'deployed') return state;
  if (state.includes('failed') || state === 'broken' || state === 'missing') return 'failed';
  return lifecycle[state].settled ? 'held' : 'working';
}

/** State name → machines, as groups with more than none, in drawing order. */
export function groupCounts(byState: Readonly<Record<string, number>>): { readonly group: StateGroup; readonly count: number }[] {
  const counts = new Map<StateGroup, number>();
  for (const [state, count] of Object.entries(byState)) {
    if (!Object.hasOwn(lifecycle, state)) continue;
    const group = groupOf(state as MachineState);
    counts.set(group, (counts.get(group) ?? 0) + count);
  }
  return stateGroups.flatMap((group) => {
    const count = counts.get(group) ?? 0;
    return count === 0 ? [] : [{ group, count }];
  });
}

/** All states of a group, in the order of their numbers. */
export function statesIn(group: StateGroup): MachineState[] {
  return machineStates.filter((state) => groupOf(state) === group);
}
