/** Subnets: one IP network on a VLAN, and what of it is free. A subnet belongs to the cell of its VLAN. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Description, Id, Nothing, nullable } from './field.ts';
import { Vlan } from './vlans.ts';

export const Subnet = Type.Object({
  id: Id,
  name: Type.String(),
  description: Type.String(),
  vlan: Vlan,
  /** The name of its VLAN's space, `undefined` when it is in none. */
  space: Type.String(),
  cidr: Type.String(),
  gateway_ip: nullable(Type.String()),
  dns_servers: Type.Array(Type.String()),
  rdns_mode: Type.Integer(),
  active_discovery: Type.Boolean(),
  allow_dns: Type.Boolean(),
  allow_proxy: Type.Boolean(),
  managed: Type.Boolean(),
  disabled_boot_architectures: Type.Array(Type.String()),
  resource_uri: Type.String(),
});

const TakenRange = Type.Object({
  start: Type.String(),
  end: Type.String(),
  num_addresses: Type.Integer(),
  purpose: Type.Array(Type.String()),
});

const SubnetStatistics = Type.Object({
  num_available: Type.Integer(),
  largest_available: Type.Integer(),
  num_unavailable: Type.Integer(),
  total_addresses: Type.Integer(),
  /** 0 to 1. */
  usage: Type.Number(),
  usage_string: Type.String(),
  available_string: Type.String(),
  first_address: Type.String(),
  last_address: Type.String(),
  ip_version: Type.Union([Type.Literal(4), Type.Literal(6)]),
  /** With include_ranges: all parts, taken and free. */
  ranges: Type.Optional(Type.Array(TakenRange)),
  /** With include_suggestions. */
  suggested_gateway: Type.Optional(nullable(Type.String())),
  suggested_dynamic_range: Type.Optional(nullable(TakenRange)),
});

const FreeRange = Type.Object({ start: Type.String(), end: Type.String(), num_addresses: Type.Integer() });

const UsedAddress = Type.Object({
  ip: Type.String(),
  /** 0 auto, 1 sticky, 4 reserved by a user, 5 DHCP, 6 seen. */
  alloc_type: Type.Integer(),
  alloc_type_name: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  node_summary: Type.Optional(
    Type.Object({
      system_id: Type.String(),
      node_type: Type.Integer(),
      fqdn: Type.String(),
      hostname: Type.String(),
      via: Type.Optional(Type.String()),
    }),
  ),
  user: Type.Optional(nullable(Type.String())),
});

const cidr = Type.String({ minLength: 3, maxLength: 49, pattern: '^[0-9a-fA-F:.]+/[0-9]{1,3}$' });
const name = Type.String({ minLength: 1, maxLength: 255 });

const settings = {
  name: optional(name, 'Its name; left out at creation, it is called after its CIDR.'),
  description: optional(Description, 'What it is for.'),
  vlan: optional(Type.String(), 'The id of its VLAN, or the name of the fabric whose untagged VLAN it is.'),
  fabric: optional(Type.String(), 'The name or id of its fabric, when vlan is left out.'),
  vid: optional(Type.Integer({ minimum: 0, maximum: 4094 }), 'The tag of its VLAN within that fabric; 0 when left out.'),
  gateway_ip: optional(Type.String(), 'The address of its router; empty for none.'),
  dns_servers: optional(
    Type.Array(Type.String()),
    'Addresses of resolvers to tell machines of, repeated or separated by commas or spaces.',
  ),
  rdns_mode: optional(
    Type.Integer({ minimum: 0, maximum: 2 }),
    'Reverse DNS: 0 none, 1 its zone, 2 also delegations for parts of a zone (RFC 2317).',
  ),
  allow_dns: optional(Type.Boolean(), 'Whether its machines may use the resolver of the cell.'),
  allow_proxy: optional(Type.Boolean(), 'Whether its machines may use the proxy of the cell.'),
  managed: optional(Type.Boolean(), 'Whether the cell gives out its addresses; false means only those in reserved ranges.'),
  active_discovery: optional(Type.Boolean(), 'Whether the cell looks for hosts here.'),
  disabled_boot_architectures: optional(Type.Array(Type.String()), 'Boot methods that are not offered here.'),
};

export const subnets = {
  ...resource('Subnets', 'subnets/', 'Subnets: the IP networks that machines are on.', {
    read: get({ doc: 'List all subnets.', reply: Type.Array(Subnet), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create a subnet.\n\nRefused when it overlaps another subnet of the same cell.',
      params: {
        cidr: required(cidr, 'The network in CIDR form, such as 10.40.1.0/24.'),
        ...settings,
        cell: optional(Type.String(), 'The cell that gets the subnet; needed at a front when no id says so.'),
      },
      reply: Subnet,
      errors: ['unplaced'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('Subnet', 'subnets/{id}/', 'One subnet.', {
    read: get({ doc: 'Read a subnet.', reply: Subnet, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a subnet.',
      params: { cidr: optional(cidr, 'The new network in CIDR form.'), ...settings },
      reply: Subnet,
      errors: ['not_found', 'in_use'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a subnet and its ranges.\n\nRefused while a machine has an address in it.',
      params: { force: optional(Type.Boolean(), 'Take the addresses from the machines that have one.') },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'in_use'],
      policy: 'admin',
      reach: 'id',
    }),
    statistics: get({
      op: 'statistics',
      doc: 'Count the free and the taken addresses of a subnet.',
      params: {
        include_ranges: optional(Type.Boolean(), 'With all its parts, taken and free.'),
        include_suggestions: optional(Type.Boolean(), 'With a router and a dynamic range that would fit.'),
      },
      reply: SubnetStatistics,
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    reserved_ip_ranges: get({
      op: 'reserved_ip_ranges',
      doc: 'List the taken parts of a subnet, each with what it is taken for.',
      reply: Type.Array(TakenRange),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    unreserved_ip_ranges: get({
      op: 'unreserved_ip_ranges',
      doc: 'List the free parts of a subnet.',
      reply: Type.Array(FreeRange),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    ip_addresses: get({
      op: 'ip_addresses',
      doc: 'List the addresses of a subnet that somebody has.',
      params: {
        with_username: optional(Type.Boolean(), 'Say whose they are; true when left out.'),
        with_summary: optional(Type.Boolean(), 'Name the machine that has each; true when left out.'),
        with_node_summary: optional(Type.Boolean(), 'The same as with_summary.'),
      },
      reply: Type.Array(UsedAddress),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
