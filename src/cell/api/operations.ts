/** Operations: what is being done to machines, and what was. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { readOperations, type OperationFilter } from '../db/operation-read.ts';
import type { ApiContext } from './api-context.ts';
import { instant, operationBody } from './operation-body.ts';
import { rowList } from './row-pages.ts';

/** An id of a path; undefined when it is none, which nothing has. */
export function idOfPath(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

export function operationHandlers(context: ApiContext): Handlers<'Operations.read' | 'Operation.read'> {
  const { database, cellName } = context;
  return {
    'Operations.read': ({ params, reply }) => {
      const filter: OperationFilter = {
        ...(params.machine === undefined ? {} : { machines: params.machine }),
        ...(params.kind === undefined ? {} : { kinds: params.kind }),
        ...(params.outcome === undefined ? {} : { outcomes: params.outcome }),
      };
      return rowList(params, reply, {
        read: (behind, limit) => readOperations(database.db, behind === undefined ? filter : { ...filter, behind }, limit),
        placeOf: (row) => ({ at: instant(row.started), id: row.id }),
        body: (row) => operationBody(row, cellName),
      });
    },
    'Operation.read': async ({ path }) => {
      const id = idOfPath(path.id);
      const [row] = id === undefined ? [] : await readOperations(database.db, { id }, 1);
      if (!row) throw fail('not_found', { what: 'Operation' });
      return operationBody(row, cellName);
    },
  };
}
