/** Findings: what an operator should look at. A finding is a row that waits, never an exception; its kinds are in contract/findings.ts. */
import { Type } from 'typebox';
import { findingKinds, type FindingKind } from '../findings.ts';
import { get, optional, post, resource } from '../route.ts';
import { Comment, Id, Instant, nullable, oneOf } from './field.ts';
import { after, limit } from './listing.ts';

const Kind = Type.Enum(Object.keys(findingKinds) as FindingKind[]);
const Severity = oneOf('info', 'warning', 'critical');

export const Finding = Type.Object({
  id: Id,
  kind: Kind,
  severity: Severity,
  /** What it is about, within its kind: a MAC address, a system_id, a VLAN. Open findings of one kind differ in it. */
  subject: Type.String(),
  system_id: nullable(Type.String()),
  text: Type.String(),
  /** What to do about it. */
  advice: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
  /** How often it was seen. */
  count: Type.Integer(),
  first_seen: Instant,
  last_seen: Instant,
  resolved: nullable(Instant),
  /** Who dismissed it, or `system` when its cause went away. */
  resolved_by: nullable(Type.String()),
  cell: Type.String(),
  resource_uri: Type.String(),
});

export const findingRoutes = {
  ...resource('Findings', 'findings/', 'What somebody should look at.', {
    read: get({
      doc: 'List findings, newest first.',
      params: {
        machine: optional(Type.Array(Type.String()), 'Only about this machine, a system_id; may be repeated.'),
        kind: optional(Type.Array(Kind), 'Only of this kind; may be repeated.'),
        severity: optional(Type.Array(Severity), 'Only of this severity; may be repeated.'),
        resolved: optional(Type.Boolean(), 'Those that are resolved, too; false when left out.'),
        limit,
        after,
      },
      reply: Type.Array(Finding),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['machine'],
    }),
  }),
  ...resource('Finding', 'findings/{id}/', 'One finding.', {
    read: get({ doc: 'Read a finding.', reply: Finding, errors: ['not_found'], policy: 'user', reach: 'id' }),
    dismiss: post({
      op: 'dismiss',
      doc: 'Say that a finding is dealt with.\n\nIf its cause is still there, it comes back as a new one.',
      params: { comment: optional(Comment, 'A remark for the event log.') },
      reply: Finding,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
