/** Operations as the API shows them. Pure. */
import type { Operation, OperationSummary } from '../../contract/resources/operations.ts';
import type { Body } from '../../contract/route.ts';
import type { LiveOperationRow } from '../db/machine-read.ts';
import type { OperationRow } from '../db/operation-read.ts';
import { uri } from './network-body.ts';

/** RFC 3339 in UTC with milliseconds, from what PostgreSQL writes into JSON or a Date. */
export function instant(time: string | Date): string {
  return new Date(time).toISOString();
}

/** The live operation in a machine's own body. */
export function operationSummary(row: LiveOperationRow): Body<typeof OperationSummary> {
  return {
    id: row.id,
    kind: row.kind,
    step: row.step,
    note: row.note,
    started: instant(row.started),
    since: instant(row.since),
    deadline: instant(row.deadline),
    waits_for_hands: row.waits_for_hands,
    resource_uri: uri('operations', row.id),
  };
}

export function operationBody(row: OperationRow, cell: string): Body<typeof Operation> {
  const ended = row.ended === null ? null : instant(row.ended);
  return {
    id: row.id,
    system_id: row.system_id,
    hostname: row.hostname,
    kind: row.kind,
    outcome: row.outcome,
    step: row.step,
    note: row.note,
    error: row.error,
    requested_by: row.requested_by,
    bulk: row.bulk,
    waits_for_hands: row.waits_for_hands,
    abort_asked: row.abort_asked,
    attempt: row.attempt,
    plan_version: row.plan_version,
    started: instant(row.started),
    deadline: instant(row.deadline),
    ended,
    steps: row.steps.map((step, at) => {
      const next = row.steps[at + 1];
      return { step: step.step, started: instant(step.started), ended: next ? instant(next.started) : ended, detail: step.detail };
    }),
    cell,
    resource_uri: uri('operations', row.id),
  };
}
