/** Operations: what is being done to a machine, step by step (architecture §6.1). Ours; MAAS has no such thing. */
import { Type } from 'typebox';
import { operations, type OperationKind } from '../operation.ts';
import { get, optional, resource } from '../route.ts';
import { Id, Instant, nullable, oneOf } from './field.ts';
import { after, limit } from './listing.ts';
import { BulkId } from './machine-bulk.ts';

export const OperationKindName = Type.Enum(Object.keys(operations) as OperationKind[]);
export const OperationOutcomeName = oneOf('live', 'done', 'failed', 'aborted');

/** The live operation as a machine's own body shows it. */
export const OperationSummary = Type.Object({
  id: Id,
  kind: OperationKindName,
  step: Type.String(),
  /** One sentence on what is going on now. */
  note: Type.String(),
  started: Instant,
  /** When the step began. */
  since: Instant,
  deadline: Instant,
  /** True: somebody must do something by hand (manual power), and the clock stands still. */
  waits_for_hands: Type.Boolean(),
  resource_uri: Type.String(),
});

export const Operation = Type.Object({
  id: Id,
  system_id: Type.String(),
  hostname: Type.String(),
  kind: OperationKindName,
  outcome: OperationOutcomeName,
  step: Type.String(),
  note: Type.String(),
  /** Why it failed; empty unless it did. */
  error: Type.String(),
  requested_by: Type.String(),
  /** The bulk call that it was begun by; null when it was asked for alone. */
  bulk: nullable(Type.String()),
  waits_for_hands: Type.Boolean(),
  abort_asked: Type.Boolean(),
  attempt: Type.Integer(),
  plan_version: Type.Integer(),
  started: Instant,
  deadline: Instant,
  ended: nullable(Instant),
  /** In the order in which they began; `ended` is when the next one began, null for the one that runs. */
  steps: Type.Array(Type.Object({ step: Type.String(), started: Instant, ended: nullable(Instant), detail: Type.String() })),
  cell: Type.String(),
  resource_uri: Type.String(),
});

const filters = {
  machine: optional(Type.Array(Type.String()), 'Only those of this machine, a system_id; may be repeated.'),
  kind: optional(Type.Array(OperationKindName), 'Only those of this kind; may be repeated.'),
  outcome: optional(Type.Array(OperationOutcomeName), 'Only those with this outcome (live: still running); may be repeated.'),
  bulk: optional(Type.Array(BulkId), 'Only those of this bulk call; may be repeated.'),
} as const;

const Counts = Type.Record(Type.String(), Type.Integer());
const OperationCounts = Type.Object({
  operations: Type.Integer(),
  by_outcome: Counts,
  by_kind: Counts,
  /** Of those that live. */
  waits_for_hands: Type.Integer(),
});

export const operationRoutes = {
  ...resource('Operations', 'operations/', 'Operations: one long-running piece of work on one machine each.', {
    read: get({
      doc: 'List operations, newest first.',
      params: {
        ...filters,
        limit,
        after,
      },
      reply: Type.Array(Operation),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['machine', 'bulk'],
    }),
    summary: get({
      op: 'summary',
      doc: 'Count operations by outcome and kind.\n\nWith bulk=, how far a bulk call has come; refused with 503 while a cell that may have a part in it does not answer.',
      params: filters,
      reply: OperationCounts,
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['machine', 'bulk'],
    }),
  }),
  ...resource('Operation', 'operations/{id}/', 'One operation.', {
    read: get({
      doc: 'Read an operation with its steps and their times.',
      reply: Operation,
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
