/**
 * Which machines a list is about. Every filter may be repeated: values of one filter are alternatives, filters are joined by and, `not_`
 * excludes. A parameter that is not here is refused with `No such constraint.`, never ignored: a filter that does nothing would be
 * answered with every machine there is.
 */
import { Type } from 'typebox';
import { optional } from '../route.ts';
import { PowerState } from './machine.ts';

const words = Type.Array(Type.String());

export const machineFilters = {
  id: optional(words, 'Only the machine with this system_id.'),
  not_id: optional(words, 'Not the machine with this system_id.'),
  system_id: optional(words, 'The same as id.'),
  hostname: optional(words, 'Only machines with this host name, with or without its domain.'),
  not_hostname: optional(words, 'Not machines with this host name.'),
  mac_address: optional(words, 'Only machines that have an interface with this MAC address.'),
  domain: optional(words, 'Only machines in the domain of this name.'),
  not_domain: optional(words, 'Not machines in the domain of this name.'),
  agent_name: optional(words, 'Only machines that were allocated under this agent_name.'),
  not_agent_name: optional(words, 'Not machines that were allocated under this agent_name.'),
  status: optional(words, 'Only machines in this state, such as ready or failed_deployment, or its number.'),
  not_status: optional(words, 'Not machines in this state.'),
  zone: optional(words, 'Only machines in the zone of this name.'),
  not_in_zone: optional(words, 'Not machines in the zone of this name.'),
  pool: optional(words, 'Only machines in the resource pool of this name.'),
  not_in_pool: optional(words, 'Not machines in the resource pool of this name.'),
  arch: optional(words, 'Only machines of this architecture: amd64/generic, or amd64 for all of its kind.'),
  not_arch: optional(words, 'Not machines of this architecture.'),
  tags: optional(words, 'Only machines that have this tag; of several tags, all.'),
  not_tags: optional(words, 'Not machines that have this tag.'),
  owner: optional(words, 'Only machines that this user has allocated.'),
  not_owner: optional(words, 'Not machines that this user has allocated.'),
  power_state: optional(Type.Array(PowerState), 'Only machines last seen in this power state.'),
  not_power_state: optional(Type.Array(PowerState), 'Not machines last seen in this power state.'),
  cpu_count: optional(Type.Number({ minimum: 0 }), 'Only machines with at least so many CPU threads.'),
  mem: optional(Type.Number({ minimum: 0 }), 'Only machines with at least so much memory, in MiB.'),
};

/** Keys that clients send with lists and allocations and that select nothing: accepted and left aside, as MAAS does. */
export const ignoredFilters: ReadonlySet<string> = new Set([
  'comment',
  'bridge_all',
  'bridge_type',
  'bridge_stp',
  'bridge_fd',
  'dry_run',
  'verbose',
  'op',
]);
