/** The columns of the machine list. */
import { Link } from '@tanstack/react-router';
import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
} from '@tanstack/react-table';
import { memoryText } from './amount.ts';
import type { MachineRow } from './machine-list.ts';
import { Age } from './parts/age.tsx';
import { Power, StateBadge } from './parts/state.tsx';
import { path } from './path.ts';

export const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

const column = createColumnHelper<typeof features, MachineRow>();

/** What is being done to it, or how long it has been as it is. */
function Doing({ machine }: { readonly machine: MachineRow }) {
  const { operation } = machine;
  if (machine.stale) return <span className="doing stale">cell absent, as last seen</span>;
  if (!operation)
    return (
      <span className="doing faint">
        for <Age since={machine.status_since} />
      </span>
    );
  return (
    <span className="doing" title={operation.note}>
      {operation.waits_for_hands ? 'waits for hands' : operation.note || operation.step.replaceAll('_', ' ')}
    </span>
  );
}

export const columns = column.columns([
  column.accessor('hostname', {
    header: 'Machine',
    sortFn: 'alphanumeric',
    cell: ({ row: { original } }) => (
      <>
        <Link {...path.machine(original.system_id)} className="host">
          {original.hostname}
        </Link>
        <span className="id">{original.system_id}</span>
      </>
    ),
  }),
  column.accessor('status', {
    header: 'State',
    sortFn: 'basic',
    cell: ({ row: { original } }) => (
      <>
        <StateBadge status={original.status} locked={original.locked} />
        <Doing machine={original} />
      </>
    ),
  }),
  column.accessor('power_state', { header: 'Power', sortFn: 'basic', cell: ({ row }) => <Power {...row.original} /> }),
  column.accessor('cell', { header: 'Cell', sortFn: 'alphanumeric' }),
  column.accessor((row) => row.owner ?? '', { id: 'owner', header: 'Owner', sortFn: 'alphanumeric' }),
  column.accessor((row) => row.zone.name, { id: 'zone', header: 'Zone', sortFn: 'alphanumeric' }),
  column.accessor((row) => row.pool.name, { id: 'pool', header: 'Pool', sortFn: 'alphanumeric' }),
  column.accessor('cpu_count', {
    header: 'Size',
    sortFn: 'basic',
    cell: ({ row: { original } }) => (original.cpu_count === 0 ? '—' : `${original.cpu_count} × ${memoryText(original.memory)}`),
  }),
  column.accessor((row) => row.tag_names.join(' '), {
    id: 'tags',
    header: 'Tags',
    sortFn: 'basic',
    cell: ({ row }) =>
      row.original.tag_names.map((tag) => (
        <span key={tag} className="tag">
          {tag}
        </span>
      )),
  }),
]);

/** The names by which the URL may sort. */
export const sortable: ReadonlySet<string> = new Set([
  'hostname',
  'status',
  'power_state',
  'cell',
  'owner',
  'zone',
  'pool',
  'cpu_count',
  'tags',
]);
