/**
 * Which machines a list is about. Every filter may be repeated: values of one filter are alternatives unless it says otherwise, filters are
 * joined by and, `not_` excludes. A parameter that is not here is refused with `No such constraint.`, never ignored: a filter that does
 * nothing would be answered with every machine there is. Grammars: contract/constraints/.
 */
import { Type } from 'typebox';
import { optional } from '../route.ts';
import { oneOf } from './field.ts';
import { PowerState } from './machine.ts';

const words = Type.Array(Type.String());
// An empty text is none.
const specifiers = Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), { maxItems: 32 });
const grammar = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { maxItems: 8 });
const least = Type.Array(Type.Number({ minimum: 0 }));
const target = Type.Array(oneOf('disk', 'memory'));

const specified =
  'a specifier (id:, name:, cidr:, ip:, vid:, vlan:, space:, fabric:, interface:), or an id, CIDR or name; may be repeated, or separated by commas';
const vlanSpecified = 'a specifier (id:, name:, vid:, fabric:, subnet:, space:), or an id or name; may be repeated, or separated by commas';

/** What lists filter by and allocations ask for alike. */
export const machineTraits = {
  system_id: optional(words, 'The machine with this system_id.'),
  arch: optional(words, 'Of this architecture: amd64/generic, or amd64 for all of its kind.'),
  not_arch: optional(words, 'Not of this architecture.'),
  cpu_count: optional(least, 'With at least so many CPU threads; of several values, the least counts.'),
  cpu_speed: optional(least, 'With CPUs of at least so many MHz.'),
  mem: optional(least, 'With at least so much memory, in MiB.'),
  link_speed: optional(least, 'With an interface whose link has at least so many Mbit/s.'),
  tags: optional(words, 'With all of these tags, repeated or separated by commas or spaces.'),
  not_tags: optional(words, 'With none of these tags.'),
  zone: optional(words, 'In the zone of this name.'),
  not_in_zone: optional(words, 'Not in the zone of this name.'),
  pool: optional(words, 'In the resource pool of this name.'),
  not_in_pool: optional(words, 'Not in the resource pool of this name.'),
  subnets: optional(specifiers, `Linked to this subnet: ${specified}. Of several, all must be met.`),
  not_subnets: optional(specifiers, 'Linked to none of these subnets, specified as for subnets.'),
  vlans: optional(specifiers, `With an interface in this VLAN: ${vlanSpecified}. Of several, all must be met.`),
  not_vlans: optional(specifiers, 'With an interface in none of these VLANs, specified as for vlans.'),
  fabrics: optional(words, 'With an interface in the fabric of this name.'),
  not_fabrics: optional(words, 'Without an interface in the fabric of this name.'),
  fabric_classes: optional(words, 'With an interface in a fabric of this class.'),
  not_fabric_classes: optional(words, 'Without an interface in a fabric of this class.'),
  owner: optional(words, 'That this user has allocated.'),
  not_owner: optional(words, 'That this user has not allocated.'),
  power_state: optional(Type.Array(PowerState), 'Last seen in this power state.'),
  not_power_state: optional(Type.Array(PowerState), 'Not last seen in this power state.'),
  deployment_target: optional(target, 'Deployed to this: disk or memory.'),
  not_deployment_target: optional(target, 'Not deployed to this.'),
  storage: optional(grammar, 'With these disks, such as root:50(ssd),data:1000: label, GB and tags; the first is the one that holds /.'),
  interfaces: optional(grammar, 'With these interfaces, such as office:space=lan;data:vid=10,link_speed=10000.'),
  devices: optional(
    grammar,
    'With this PCI or USB device, by vendor_id, product_id, vendor_name, product_name and commissioning_driver, such as vendor_id=10de; of several, all.',
  ),
};

export const machineFilters = {
  id: optional(words, 'The same as system_id.'),
  not_id: optional(words, 'Not the machine with this system_id.'),
  hostname: optional(words, 'With this host name, with or without its domain.'),
  not_hostname: optional(words, 'Not with this host name.'),
  mac_address: optional(words, 'With an interface that has this MAC address.'),
  domain: optional(words, 'In the domain of this name.'),
  not_domain: optional(words, 'Not in the domain of this name.'),
  agent_name: optional(words, 'Allocated under this agent_name.'),
  not_agent_name: optional(words, 'Not allocated under this agent_name.'),
  status: optional(words, 'In this state, such as ready or failed_deployment, or its number.'),
  not_status: optional(words, 'Not in this state.'),
  simple_status: optional(
    words,
    'In one of the states that are summed up as new, ready, allocated, deployed, deploying, commissioning, testing, releasing, rescue_mode, broken, failed or other.',
  ),
  not_simple_status: optional(words, 'Not in one of these.'),
  ...machineTraits,
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
