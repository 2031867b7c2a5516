/** Findings: what somebody should look at. */
import { fail } from '../../contract/errors.ts';
import { findingKinds, type FindingKind } from '../../contract/findings.ts';
import type { Finding } from '../../contract/resources/findings.ts';
import type { Body } from '../../contract/route.ts';
import type { Handlers } from '../../http/handler.ts';
import { dismissFinding, readFindings, type FindingRow } from '../db/finding-read.ts';
import type { ApiContext } from './api-context.ts';
import { uri } from './network-body.ts';
import { instant } from './operation-body.ts';
import { idOfPath } from './operations.ts';
import { rowList } from './row-pages.ts';

const allKinds = Object.keys(findingKinds) as FindingKind[];

export function findingBody(row: FindingRow, cell: string): Body<typeof Finding> {
  const { severity, advice } = findingKinds[row.kind];
  return {
    id: row.id,
    kind: row.kind,
    severity,
    subject: row.subject,
    system_id: row.system_id,
    text: row.text,
    advice,
    data: { ...row.data },
    count: row.count,
    first_seen: instant(row.first_seen),
    last_seen: instant(row.last_seen),
    resolved: row.resolved === null ? null : instant(row.resolved),
    resolved_by: row.resolved_by,
    cell,
    resource_uri: uri('findings', row.id),
  };
}

export function findingHandlers(context: ApiContext): Handlers<'Findings.read' | 'Finding.read' | 'Finding.dismiss'> {
  const { database, cellName } = context;

  async function one(pathId: string): Promise<FindingRow> {
    const id = idOfPath(pathId);
    const [row] = id === undefined ? [] : await readFindings(database.db, { id, kinds: allKinds, resolvedToo: true }, 1);
    if (!row) throw fail('not_found', { what: 'Finding' });
    return row;
  }

  return {
    'Findings.read': ({ params, reply }) => {
      const filter = {
        ...(params.machine === undefined ? {} : { machines: params.machine }),
        kinds: (params.kind ?? allKinds).filter((kind) => params.severity?.includes(findingKinds[kind].severity) ?? true),
        resolvedToo: params.resolved === true,
      };
      return rowList(params, reply, {
        read: (behind, limit) => readFindings(database.db, behind === undefined ? filter : { ...filter, behind }, limit),
        placeOf: (row) => ({ at: instant(row.last_seen), id: row.id }),
        body: (row) => findingBody(row, cellName),
      });
    },
    'Finding.read': async ({ path }) => findingBody(await one(path.id), cellName),
    'Finding.dismiss': async ({ path, params, caller }) => {
      const { id } = await one(path.id);
      await database.transaction((tx) => dismissFinding(tx, id, caller.username, params.comment ?? ''));
      return findingBody(await one(path.id), cellName);
    },
  };
}
