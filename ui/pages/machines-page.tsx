/** All machines, live: a filter box, a chip for each state that there is, and the list. Filter, states, cell and order are in the URL. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useMemo, useRef, useState } from 'react';
import { lifecycle, type MachineState } from '../../src/contract/lifecycle.ts';
import { counted } from '../amount.ts';
import { chosenStates, countStates, machineTest } from '../machine-filter.ts';
import { longestList, machinesQuery, type MachineRow } from '../machine-list.ts';
import { BulkDialog } from '../machine/bulk-dialog.tsx';
import { MachineTable } from '../machine-table.tsx';
import { Empty, Failed, Partial, Waiting } from '../parts/notice.tsx';
import { useShortcuts } from '../parts/shortcuts.ts';
import { path, type MachineSearch } from '../path.ts';
import { programQuery } from '../session.ts';
import { groupOf } from '../state-color.ts';

export function MachinesPage({ search }: { readonly search: MachineSearch }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const isHub = useQuery(programQuery).data?.program === 'hub';
  const machines = useQuery({ ...machinesQuery(queries), enabled: !isHub });
  const box = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  // What is done to many machines is done to these, however the list moves meanwhile.
  const [asked, setAsked] = useState<readonly MachineRow[]>();
  // Typing stays quick while thousands of rows are looked through.
  const looked = useDeferredValue(search);
  const all = machines.data?.rows;
  const rows = useMemo(() => all?.filter(machineTest(looked)) ?? [], [all, looked]);
  const counts = useMemo(() => countStates(all ?? [], looked), [all, looked]);
  const change = (changed: { readonly [K in keyof MachineSearch]?: MachineSearch[K] | undefined }): void => {
    const kept = Object.entries({ ...search, ...changed }).filter(([, value]) => value !== undefined && value !== '');
    void navigate({ ...path.machines(Object.fromEntries(kept) as MachineSearch), replace: true });
  };
  useShortcuts({ '/': () => box.current?.select(), Escape: () => change({ q: undefined }) });

  if (isHub)
    return (
      <Empty>
        <h1>The hub knows no machines.</h1>
        <p>Each cell keeps its own; sign in at a front to see them all.</p>
      </Empty>
    );
  if (machines.isPending) return <Waiting what="the machines" />;
  if (!machines.data)
    return <Failed error={machines.error} what="the machines" again={() => void queries.invalidateQueries({ queryKey: ['machines'] })} />;
  const chosen = chosenStates(search);
  const toggle = (state: MachineState): void => {
    const next = chosen.includes(state) ? chosen.filter((one) => one !== state) : [...chosen, state];
    change({ status: next.join(',') });
  };
  const chips = [...new Set([...counts.keys(), ...chosen])].sort((a, b) => lifecycle[a].number - lifecycle[b].number);
  return (
    <div className="page machines" ref={list}>
      <div className="machine-tools">
        <h1 className="hidden">Machines</h1>
        <input
          ref={box}
          type="search"
          className="filter"
          aria-label="Filter machines"
          aria-keyshortcuts="/"
          placeholder="Filter: name, owner, tag:gpu, zone:east …   ( / )"
          value={search.q ?? ''}
          onChange={(event) => change({ q: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === 'Escape') event.currentTarget.blur();
            if (event.key === 'Enter') list.current?.querySelector<HTMLElement>('a.host')?.focus();
          }}
        />
        <div className="chips" role="group" aria-label="States">
          {search.cell !== undefined && (
            <button type="button" className="chip" aria-pressed="true" onClick={() => change({ cell: undefined })}>
              cell {search.cell} ×
            </button>
          )}
          {chips.map((state) => (
            <button
              key={state}
              type="button"
              className={`chip group-${groupOf(state)}`}
              aria-pressed={chosen.includes(state)}
              onClick={() => toggle(state)}
            >
              <span className="dot" aria-hidden="true" />
              {lifecycle[state].name} <strong>{(counts.get(state) ?? 0).toLocaleString('en')}</strong>
            </button>
          ))}
        </div>
        {rows.length > 0 && (
          <button type="button" onClick={() => setAsked(rows)}>
            {`Act on ${rows.length === 1 ? 'this one' : `all ${rows.length.toLocaleString('en')}`}…`}
          </button>
        )}
        <p className="count" role="status">
          {rows.length === all?.length
            ? counted(rows.length, 'machine')
            : `${rows.length.toLocaleString('en')} of ${counted(all?.length ?? 0, 'machine')}`}
        </p>
      </div>
      {asked && <BulkDialog rows={asked} onClose={() => setAsked(undefined)} />}
      <Partial cells={machines.data.cells}>Machines seen there before are shown as they were last seen.</Partial>
      {machines.isError && <Failed error={machines.error} what="the machines again; this is how they were" />}
      {machines.data.cut && (
        <div className="notice partial">{`These are the first ${counted(longestList, 'machine')}; the fleet has more. Open a single cell's own page to see all of its machines.`}</div>
      )}
      {all?.length === 0 ? (
        <Empty>
          <h2>{(machines.data.cells?.absent.length ?? 0) > 0 ? 'No machines in the cells that answered.' : 'No machines yet.'}</h2>
          <p>Machines that boot from the network on a VLAN that enlists add themselves. Switch one on.</p>
        </Empty>
      ) : rows.length === 0 ? (
        <Empty>
          <h2>No machine fits.</h2>
          <p>
            <button type="button" onClick={() => change({ q: undefined, status: undefined, cell: undefined })}>
              Show all machines
            </button>
          </p>
        </Empty>
      ) : (
        <MachineTable
          rows={rows}
          sort={search.sort ?? 'hostname'}
          onSort={(sort) => change({ sort: sort === 'hostname' ? undefined : sort })}
        />
      )}
    </div>
  );
}
