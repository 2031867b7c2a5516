/** Operations: what is being done to machines, and what was. */
import { fail } from '../../contract/errors.ts';
import type { OperationKind, OperationOutcome } from '../../contract/operation.ts';
import type { Handlers } from '../../http/handler.ts';
import { countOperations, readOperations, type OperationCount, type OperationFilter } from '../db/operation-read.ts';
import type { ApiContext } from './api-context.ts';
import { instant, operationBody } from './operation-body.ts';
import { rowList } from './row-pages.ts';

/** An id of a path; undefined when it is none, which nothing has. */
export function idOfPath(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

interface Given {
  readonly machine?: readonly string[];
  readonly kind?: readonly OperationKind[];
  readonly outcome?: readonly OperationOutcome[];
  readonly bulk?: readonly string[];
}

function filterOf({ machine, kind, outcome, bulk }: Given): OperationFilter {
  return {
    ...(machine === undefined ? {} : { machines: machine }),
    ...(kind === undefined ? {} : { kinds: kind }),
    ...(outcome === undefined ? {} : { outcomes: outcome }),
    ...(bulk === undefined ? {} : { bulks: bulk }),
  };
}

/** Numbers of rows by one of their words. */
function counted(rows: readonly OperationCount[], by: 'outcome' | 'kind'): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[row[by]] = (counts[row[by]] ?? 0) + row.operations;
  return counts;
}

export function operationHandlers(context: ApiContext): Handlers<'Operations.read' | 'Operations.summary' | 'Operation.read'> {
  const { database, cellName } = context;
  return {
    'Operations.read': ({ params, reply }) => {
      const filter = filterOf(params);
      return rowList(params, reply, {
        read: (behind, limit) => readOperations(database.db, behind === undefined ? filter : { ...filter, behind }, limit),
        placeOf: (row) => ({ at: instant(row.started), id: row.id }),
        body: (row) => operationBody(row, cellName),
      });
    },
    'Operations.summary': async ({ params }) => {
      const rows = await countOperations(database.db, filterOf(params));
      return {
        operations: rows.reduce((sum, row) => sum + row.operations, 0),
        by_outcome: counted(rows, 'outcome'),
        by_kind: counted(rows, 'kind'),
        waits_for_hands: rows.reduce((sum, row) => sum + row.waits_for_hands, 0),
      };
    },
    'Operation.read': async ({ path }) => {
      const id = idOfPath(path.id);
      const [row] = id === undefined ? [] : await readOperations(database.db, { id }, 1);
      if (!row) throw fail('not_found', { what: 'Operation' });
      return operationBody(row, cellName);
    },
  };
}
