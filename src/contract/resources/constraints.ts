/**
 * What an allocation may ask of a machine: the grammar of maas-api.md §1.5, as far as it is matched today. A constraint that is not here
 * is refused with `No such constraint.`: one that was ignored would hand out the wrong machine.
 *
 * The cheapest machine that meets all of them is taken: cpu_count + memory in GiB, ascending.
 */
import { Type } from 'typebox';
import { optional } from '../route.ts';
import { oneOf } from './field.ts';

const words = Type.Array(Type.String());

/** What `spread` may say. */
export const spreads = ['cell', 'zone', 'pool'] as const;
export type Spread = (typeof spreads)[number];

export const constraints = {
  name: optional(Type.String({ minLength: 1, maxLength: 255 }), 'The machine with this host name, with or without its domain.'),
  system_id: optional(words, 'One of the machines with these system_ids.'),
  arch: optional(words, 'Of this architecture: amd64/generic, or amd64 for all of its kind.'),
  not_arch: optional(words, 'Not of this architecture.'),
  cpu_count: optional(Type.Number({ minimum: 0 }), 'At least so many CPU threads.'),
  mem: optional(Type.Number({ minimum: 0 }), 'At least so much memory, in MiB.'),
  tags: optional(words, 'All of these tags, repeated or separated by commas or spaces.'),
  not_tags: optional(words, 'None of these tags.'),
  zone: optional(words, 'In one of these zones.'),
  not_in_zone: optional(words, 'In none of these zones.'),
  pool: optional(words, 'In one of these resource pools.'),
  not_in_pool: optional(words, 'In none of these resource pools.'),
};

/** What an allocation carries beside its constraints. */
export const allocationOptions = {
  agent_name: optional(
    Type.String({ maxLength: 255 }),
    'A name to find the machine by later, for programs that allocate on behalf of others.',
  ),
  comment: optional(Type.String({ maxLength: 1024 }), 'A remark for the event log.'),
  spread: optional(
    oneOf(...spreads),
    'Take it from the cell, zone or pool in which the caller holds the fewest machines (of the same agent_name, where one is given), and there the cheapest. Evenly when calls follow one another; calls at the same moment may differ by more.',
  ),
  dry_run: optional(Type.Boolean(), 'Say which machine it would be, and take none.'),
};
