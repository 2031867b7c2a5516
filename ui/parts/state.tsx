/** A machine's state, its power, and many machines' states as a bar. Colour never stands alone: the words are always there. */
import { Link } from '@tanstack/react-router';
import { lifecycle, stateOf } from '../../src/contract/lifecycle.ts';
import type { MachineRow } from '../machine-list.ts';
import { path } from '../path.ts';
import { groupCounts, groupNames, groupOf, statesIn } from '../state-color.ts';
import { moment } from '../time.ts';
import { Age } from './age.tsx';

export function StateBadge({ status, locked = false }: { readonly status: number; readonly locked?: boolean }) {
  const state = stateOf(status);
  return (
    <span className={`badge group-${groupOf(state)}`} data-state={state}>
      <span className="dot" aria-hidden="true" />
      {lifecycle[state].name}
      {locked && <span className="locked">locked</span>}
    </span>
  );
}

type Powered = Pick<MachineRow, 'power_state' | 'power_state_at' | 'power_evidence'>;

const powerWords = { on: 'on', off: 'off', unknown: 'unknown', error: 'BMC error' } as const;

/** Power is never shown without its age: what was seen long ago is no knowledge. */
export function Power({ power_state, power_state_at, power_evidence }: Powered) {
  const title = power_state_at === null ? 'Never asked.' : `${power_evidence || 'Seen'}, ${moment(power_state_at)}`;
  return (
    <span className={`power power-${power_state}`} title={title}>
      <span className="plug" aria-hidden="true" />
      {powerWords[power_state]}
      {power_state_at !== null && (
        <span className="faint">
          {' '}
          <Age since={power_state_at} />
        </span>
      )}
    </span>
  );
}

interface StateBarProps {
  readonly byState: Readonly<Record<string, number>>;
  /** Links go to this cell's machines alone. */
  readonly cell?: string;
}

/** Machines by state as a bar, and the same as links. */
export function StateBar({ byState, cell }: StateBarProps) {
  const groups = groupCounts(byState);
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return <p className="faint">No machines yet.</p>;
  const label = groups.map(({ group, count }) => `${groupNames[group]} ${count}`).join(', ');
  return (
    <div className="state-bar">
      <div className="bar" role="img" aria-label={label}>
        {groups.map(({ group, count }) => (
          <span key={group} className={`piece group-${group}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <ul className="legend">
        {groups.map(({ group, count }) => (
          <li key={group}>
            <Link
              {...path.machines({ ...(cell === undefined ? {} : { cell }), status: statesIn(group).join(',') })}
              className={`group-${group}`}
            >
              <span className="dot" aria-hidden="true" />
              {groupNames[group]} <strong>{count.toLocaleString('en')}</strong>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
