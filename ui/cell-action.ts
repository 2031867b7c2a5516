/** How an admin says that a cell stands: what can be asked of it now, and what is asked back first. */
import type { RouteReply } from '../src/contract/routes.ts';

type CellState = RouteReply<'Cell.read'>['state'];

export interface CellAction {
  readonly label: string;
  readonly state: CellState;
  /** The states in which it makes sense. */
  readonly from: readonly CellState[];
  /** What is said before it is done. */
  readonly ask: string;
  readonly danger: boolean;
}

export const cellActions: readonly CellAction[] = [
  {
    label: 'Drain',
    state: 'drained',
    from: ['in'],
    ask: 'It gets nothing new from then on: no machines, no allocations. It answers everything, and what runs goes on.',
    danger: false,
  },
  {
    label: 'Take back in',
    state: 'in',
    from: ['drained', 'out'],
    ask: 'It is asked again, and gets machines and allocations like the others.',
    danger: false,
  },
  {
    label: 'Mark out',
    state: 'out',
    from: ['in', 'drained'],
    ask: 'Say so only when you know that it is not there. Nobody asks it then, and lists and look-ups are answered without what it holds.',
    danger: true,
  },
  {
    label: 'Retire',
    state: 'retired',
    from: ['drained', 'out'],
    ask: 'It is gone for good. Its ids are answered with “was retired”, and its number and name are never used again. This cannot be undone.',
    danger: true,
  },
];

/** What can be asked of a cell in this state. */
export function actionsIn(state: CellState): readonly CellAction[] {
  return cellActions.filter(({ from }) => from.includes(state));
}
