/** The machines of the fleet as the list holds them: all of them, read in pages, kept fresh one by one as events name them. */
import { queryOptions, type QueryClient } from '@tanstack/react-query';
import type { RouteReply } from '../src/contract/routes.ts';
import { client, gathered, type CellsAsked, type Gathered } from './api.ts';

type Whole = RouteReply<'Machine.read'>;

const shown = [
  'system_id',
  'hostname',
  'cell',
  'status',
  'status_since',
  'power_state',
  'power_state_at',
  'power_evidence',
  'owner',
  'zone',
  'pool',
  'tag_names',
  'locked',
  'operation',
  'architecture',
  'cpu_count',
  'memory',
] as const satisfies readonly (keyof Whole)[];

export interface MachineRow extends Pick<Whole, (typeof shown)[number]> {
  /** Its cell did not answer: this is how it was last seen. */
  readonly stale?: true;
}

export interface MachineList {
  readonly rows: readonly MachineRow[];
  readonly cells: CellsAsked | undefined;
  /** There are more machines than the list holds. */
  readonly cut: boolean;
}

const pageSize = 2000;
/** What a browser sorts and filters at every key without a pause; larger fleets are narrowed by cell. */
export const longestList = 20_000;
/** System ids in one request: 200 are 2.2 kB of URL. */
const idsAtOnce = 200;

const fields = shown.join(',');
const key = ['machines'] as const;

interface Asked {
  readonly id?: string[];
  readonly limit?: number;
  readonly after?: string;
}

async function readRows(asked: Asked, signal?: AbortSignal): Promise<Gathered<MachineRow[]>> {
  return gathered(await client.open('Machines.read', {}, { ...asked, fields }, signal === undefined ? {} : { signal }));
}

/** The rows of absent cells as they were last seen, so that a cell's silence does not look like its machines' end. */
export function withAbsent(fresh: readonly MachineRow[], before: readonly MachineRow[], absent: readonly string[]): readonly MachineRow[] {
  const kept = before.filter((row) => absent.includes(row.cell)).map((row): MachineRow => ({ ...row, stale: true }));
  return kept.length === 0 ? fresh : [...fresh, ...kept];
}

/** `rows` with those of `ids` replaced by `fresh`, or gone when it has them no more. */
export function patched(rows: readonly MachineRow[], ids: readonly string[], fresh: readonly MachineRow[]): readonly MachineRow[] {
  const named = new Set(ids);
  const found = new Map(fresh.map((row) => [row.system_id, row]));
  const kept = rows.flatMap((row) => {
    if (!named.has(row.system_id)) return [row];
    const next = found.get(row.system_id);
    found.delete(row.system_id);
    return next ? [next] : [];
  });
  return [...kept, ...found.values()];
}

export function machinesQuery(queries: QueryClient) {
  return queryOptions({
    queryKey: key,
    queryFn: async ({ signal }): Promise<MachineList> => {
      const rows: MachineRow[] = [];
      let cells: CellsAsked | undefined;
      let after: string | undefined;
      do {
        const page = await readRows({ limit: pageSize, ...(after === undefined ? {} : { after }) }, signal);
        rows.push(...page.body);
        // The page that saw most silence speaks for the list.
        if (!cells || (page.cells && page.cells.absent.length > cells.absent.length)) cells = page.cells;
        after = page.next;
      } while (after !== undefined && rows.length < longestList);
      const before = queries.getQueryData<MachineList>(key)?.rows ?? [];
      return { rows: withAbsent(rows, before, cells?.absent ?? []), cells, cut: after !== undefined };
    },
    refetchInterval: 60_000,
  });
}

/** Read these machines again and put them into the list, if it is being held. Reads the whole list where that is less work. */
export async function refreshRows(queries: QueryClient, ids: readonly string[]): Promise<void> {
  if (queries.getQueryData(key) === undefined) return;
  if (ids.length > idsAtOnce * 3) return queries.invalidateQueries({ queryKey: key });
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const some = ids.slice(at, at + idsAtOnce);
    try {
      const { body } = await readRows({ id: some });
      queries.setQueryData<MachineList>(key, (list) => list && { ...list, rows: patched(list.rows, some, body) });
    } catch {
      // Its cell fell silent just now: the list says so when it is read.
      await queries.invalidateQueries({ queryKey: key });
    }
  }
}
