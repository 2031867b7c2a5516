/** Events: everything that has happened, as MAAS shows it and as a live stream. The kinds are in contract/events.ts. */
import { Type } from 'typebox';
import { get, optional, resource } from '../route.ts';
import { MacAddress, Instant, nullable, oneOf } from './field.ts';

export const eventLevels = ['AUDIT', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;

export const Event = Type.Object({
  username: Type.String(),
  /** The system_id of the machine; empty when it is about none. */
  node: Type.String(),
  hostname: Type.String(),
  id: Type.Integer(),
  level: oneOf(...eventLevels),
  /** As MAAS writes it: `Fri, 07 Dec. 2018 20:11:08`, in UTC. */
  created: Type.String(),
  /** The name of the kind in contract/events.ts. */
  type: Type.String(),
  description: Type.String(),
});

/**
 * The `data` of one message of `op=stream`. The message's `id` is the cursor to go on from (in `after`, or the header Last-Event-ID), its
 * `event` is `change` for these, `reset` when the cursor no longer fits (fetch anew, then go on from this id), and comments keep the
 * connection open. At a front the cursor holds one position for each cell.
 */
export const Change = Type.Object({
  cell: Type.String(),
  /** Key of eventKinds in contract/events.ts. */
  kind: Type.String(),
  level: oneOf(...eventLevels),
  at: Instant,
  system_id: nullable(Type.String()),
  hostname: nullable(Type.String()),
  username: nullable(Type.String()),
  description: Type.String(),
  /** What else there is to know: `status` and `power_state` of the machine after the change, `operation` and `step`, …. */
  data: Type.Record(Type.String(), Type.Unknown()),
});

const id = optional(Type.Array(Type.String()), 'Only about the machine with this system_id; may be repeated.');
const level = optional(oneOf(...eventLevels), 'Only of this level and above; INFO when left out. AUDIT means audit events alone.');

export const events = {
  ...resource('Events', 'events/', 'Everything that has happened.', {
    query: get({
      op: 'query',
      doc: 'List events, newest first.',
      params: {
        id,
        hostname: optional(Type.Array(Type.String()), 'Only about machines with this host name; may be repeated.'),
        mac_address: optional(Type.Array(MacAddress), 'Only about machines with this MAC address; may be repeated.'),
        zone: optional(Type.Array(Type.String()), 'Only about machines in the zone of this name; may be repeated.'),
        domain: optional(Type.Array(Type.String()), 'Only about machines in the domain of this name; may be repeated.'),
        agent_name: optional(Type.Array(Type.String()), 'Only about machines that were allocated under this agent_name.'),
        owner: optional(Type.Array(Type.String()), 'Only what this user has asked for.'),
        level,
        limit: optional(Type.Integer({ minimum: 1, maximum: 1000 }), 'Return at most so many; 100 when left out.'),
        before: optional(Type.Integer({ minimum: 0 }), 'Only events with a lower id; not together with after.'),
        after: optional(Type.Integer({ minimum: 0 }), 'Only events with a higher id; not together with before.'),
      },
      reply: Type.Object({
        count: Type.Integer(),
        events: Type.Array(Event),
        next_uri: nullable(Type.String()),
        prev_uri: nullable(Type.String()),
      }),
      errors: ['bad_request'],
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['id', 'hostname', 'mac_address'],
    }),
    stream: get({
      op: 'stream',
      doc: 'Follow events as they happen, as server-sent events.\n\nWithout after, the stream starts now.',
      params: {
        after: optional(Type.String({ maxLength: 65_536 }), 'Start behind this: the id of the last message that was seen.'),
        id,
        level,
      },
      reply: Change,
      type: 'stream',
      policy: 'user',
      reach: 'gather',
      partial: true,
    }),
  }),
};
