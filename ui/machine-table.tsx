/** The machine list as a table of which only what is in sight is drawn: thousands of rows cost what thirty do. */
import { useTable } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { columns, features, sortable } from './machine-columns.tsx';
import type { MachineRow } from './machine-list.ts';
import { useShortcuts } from './parts/shortcuts.ts';

/** Pixels of a row, as style/pages.css draws them: one line, or three where the page is narrow. */
const rowHeights = { wide: 44, narrow: 92 } as const;
const narrow = matchMedia('(max-width: 900px)');

function useNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      narrow.addEventListener('change', changed);
      return () => narrow.removeEventListener('change', changed);
    },
    () => narrow.matches,
  );
}

interface MachineTableProps {
  readonly rows: readonly MachineRow[];
  /** Column, falling with a minus in front. */
  readonly sort: string;
  readonly onSort: (sort: string) => void;
}

export function MachineTable({ rows, sort, onSort }: MachineTableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const place = useRef(-1);
  const height = rowHeights[useNarrow() ? 'narrow' : 'wide'];
  const by = sort.replace(/^-/, '');
  const sorting = useMemo(() => [{ id: sortable.has(by) ? by : 'hostname', desc: sort.startsWith('-') }], [by, sort]);
  const data = useMemo(() => [...rows], [rows]);
  const table = useTable({ features, columns, data, state: { sorting }, getRowId: (row) => row.system_id });
  const sorted = table.getRowModel().rows;
  // oxlint-disable-next-line react/incompatible-library -- it is about React's compiler, which does not run here
  const virtual = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
  });
  useEffect(() => virtual.measure(), [virtual, height]);

  /** From the row whose link has the focus, or from where the keys were last. */
  const go = (step: number): void => {
    const focused = document.activeElement?.closest<HTMLElement>('[data-index]')?.dataset['index'];
    const next = Math.min(sorted.length - 1, Math.max(0, (focused === undefined ? place.current : Number(focused)) + step));
    place.current = next;
    const link = () => scroller.current?.querySelector<HTMLElement>(`[data-index="${next}"] a.host`);
    virtual.scrollToIndex(next);
    // A row that was out of sight is drawn first.
    if (link()) link()?.focus();
    else requestAnimationFrame(() => link()?.focus());
  };
  useShortcuts({ j: () => go(1), k: () => go(-1), ArrowDown: () => go(1), ArrowUp: () => go(-1) });

  return (
    <div className="machine-table" role="table" aria-label="Machines" aria-rowcount={sorted.length + 1}>
      <div role="rowgroup" className="heads">
        <div role="row" className="machine-row" aria-rowindex={1}>
          {columns.map((column) => {
            const id = column.id ?? ('accessorKey' in column ? String(column.accessorKey) : '');
            const current = sorting[0]?.id === id ? sorting[0] : undefined;
            return (
              <div
                key={id}
                role="columnheader"
                className={`col-${id}`}
                aria-sort={current ? (current.desc ? 'descending' : 'ascending') : 'none'}
              >
                <button type="button" className="head" onClick={() => onSort(current && !current.desc ? `-${id}` : id)}>
                  {String(column.header)}
                  <span aria-hidden="true">{current ? (current.desc ? ' ↓' : ' ↑') : ''}</span>
                </button>
              </div>
            );
          })}
        </div>
      </div>
      <div className="scroller" ref={scroller} role="rowgroup" tabIndex={-1}>
        <div style={{ height: virtual.getTotalSize() }} className="all-rows" role="presentation">
          {virtual.getVirtualItems().map((item) => {
            const row = sorted[item.index];
            if (!row) return null;
            return (
              <div
                key={row.id}
                role="row"
                aria-rowindex={item.index + 2}
                data-index={item.index}
                data-system-id={row.id}
                className={row.original.stale ? 'machine-row stale' : 'machine-row'}
                style={{ transform: `translateY(${item.start}px)`, height: item.size }}
              >
                {row.getAllCells().map((cell) => (
                  <div key={cell.id} role="cell" className={`col-${cell.column.id}`}>
                    <table.FlexRender cell={cell} />
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
