/** The cells as the page shows them. A front and the hub list them; a cell that is asked itself is the only one there is. */
import { queryOptions } from '@tanstack/react-query';
import type { RouteReply } from '../src/contract/routes.ts';
import { ApiError } from '../src/http/client.ts';
import { client, gathered } from './api.ts';

type Listed = RouteReply<'Cells.read'>[number];
export type CellRow = Pick<Listed, 'name' | 'state' | 'answering' | 'version' | 'revision' | 'lag' | 'load' | 'machines' | 'findings'>;

interface Summary {
  readonly by_status: Readonly<Record<string, number>>;
}

/** Open findings by severity. */
function bySeverity(findings: readonly { readonly severity: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { severity } of findings) counts[severity] = (counts[severity] ?? 0) + 1;
  return counts;
}

async function onlyCell(signal: AbortSignal): Promise<CellRow> {
  const [version, summary, findings] = await Promise.all([
    client.call('Version.read', {}, {}, { signal }),
    client.open('Machines.summary', {}, {}, { signal }).then((response) => gathered<Summary>(response)),
    client.call('Findings.read', {}, {}, { signal }),
  ]);
  return {
    name: version.muster?.name ?? 'this cell',
    state: 'in',
    answering: true,
    version: version.muster?.version ?? version.version,
    revision: null,
    lag: null,
    load: null,
    machines: { ...summary.body.by_status },
    findings: bySeverity(findings),
  };
}

export const cellsQuery = queryOptions({
  queryKey: ['cells'],
  queryFn: async ({ signal }): Promise<readonly CellRow[]> => {
    try {
      return await client.call('Cells.read', {}, {}, { signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [await onlyCell(signal)];
      throw error;
    }
  },
  // A cell that falls silent sends no event.
  refetchInterval: 5000,
});

export const frontsQuery = queryOptions({
  queryKey: ['fronts'],
  queryFn: ({ signal }) => client.call('Fronts.read', {}, {}, { signal }),
  refetchInterval: 10_000,
});

export type CellStanding = 'answering' | 'absent' | 'drained' | 'out' | 'retired' | 'registered';

/** How a cell stands. `registered`: nobody here has asked it (the hub never does). */
export function standingOf(cell: Pick<CellRow, 'state' | 'answering'>): CellStanding {
  if (cell.state === 'out' || cell.state === 'retired') return cell.state;
  if (cell.answering === false) return 'absent';
  if (cell.state === 'drained') return 'drained';
  return cell.answering === null ? 'registered' : 'answering';
}
