/** Network interfaces of a machine and their links to subnets. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, MacAddress, Nothing, nullable, oneOf } from './field.ts';
import { Subnet } from './subnets.ts';
import { Vlan } from './vlans.ts';

/** `ip_address` and `subnet` are left out when there is none: a null there breaks gomaasapi. */
export const Link = Type.Object({
  id: Id,
  mode: oneOf('auto', 'dhcp', 'static', 'link_up'),
  ip_address: Type.Optional(Type.String()),
  subnet: Type.Optional(Subnet),
});

export const Interface = Type.Object({
  system_id: Type.String(),
  id: Id,
  name: Type.String(),
  type: oneOf('physical', 'bond', 'bridge', 'vlan', 'alias', 'unknown'),
  vlan: nullable(Vlan),
  mac_address: nullable(Type.String()),
  /** Names of the interfaces that this one is made of, and of those made of it. */
  parents: Type.Array(Type.String()),
  children: Type.Array(Type.String()),
  tags: Type.Array(Type.String()),
  enabled: Type.Boolean(),
  links: Type.Array(Link),
  /** An object, or the empty string when there is nothing to say: MAAS shows both. */
  params: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Literal('')]),
  discovered: nullable(Type.Array(Type.Object({ ip_address: Type.String(), subnet: Subnet }))),
  effective_mtu: Type.Integer(),
  vendor: nullable(Type.String()),
  product: nullable(Type.String()),
  firmware_version: nullable(Type.String()),
  link_connected: Type.Boolean(),
  /** Mbit/s, both. */
  interface_speed: Type.Integer(),
  link_speed: Type.Integer(),
  numa_node: nullable(Type.Integer()),
  sriov_max_vf: Type.Integer(),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 15, pattern: '^[^\\s/]+$' });
const tags = Type.Array(Type.String());
const mtu = Type.Integer({ minimum: 552, maximum: 65535 });

export const interfaces = {
  ...resource('Interfaces', 'nodes/{system_id}/interfaces/', 'The network interfaces of one machine.', {
    read: get({
      doc: 'List the interfaces of a machine.',
      reply: Type.Array(Interface),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    create_physical: post({
      op: 'create_physical',
      doc: 'Add a physical interface to a machine.',
      params: {
        mac_address: required(MacAddress, 'Its MAC address; no other machine of the cell may have it.'),
        name: optional(name, 'Its name; left out, the next free of eth0, eth1, ….'),
        tags: optional(tags, 'Its tags, repeated or separated by commas.'),
        vlan: optional(Type.String(), 'The id of the VLAN it is plugged into; empty for not connected.'),
        mtu: optional(mtu, 'Its MTU in bytes; left out, that of its VLAN.'),
      },
      reply: Interface,
      errors: ['not_found', 'wrong_state'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
  ...resource('Interface', 'nodes/{system_id}/interfaces/{id}/', 'One network interface of a machine.', {
    read: get({ doc: 'Read an interface.', reply: Interface, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change an interface.',
      params: {
        name: optional(name, 'The new name.'),
        mac_address: optional(MacAddress, 'The new MAC address.'),
        tags: optional(tags, 'The tags it shall have, repeated or separated by commas; one empty value for none.'),
        vlan: optional(Type.String(), 'The id of its new VLAN; empty for not connected. Its links go.'),
        mtu: optional(mtu, 'The new MTU in bytes.'),
        link_connected: optional(Type.Boolean(), 'Whether a cable is plugged in.'),
        interface_speed: optional(Type.Integer({ minimum: 0 }), 'What the interface can do, in Mbit/s.'),
        link_speed: optional(Type.Integer({ minimum: 0 }), 'What its link runs at, in Mbit/s.'),
      },
      reply: Interface,
      errors: ['not_found', 'wrong_state'],
      policy: 'user',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete an interface.\n\nRefused for the interface that the machine boots from.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'wrong_state', 'bad_request'],
      policy: 'admin',
      reach: 'id',
    }),
    link_subnet: post({
      op: 'link_subnet',
      doc: 'Link an interface to a subnet.\n\nAUTO gets an address of its own when the machine is deployed, STATIC has the given one or the next free one at once, DHCP asks the DHCP server, LINK_UP has none.',
      params: {
        mode: required(
          Type.String({ pattern: '^(?:[Aa][Uu][Tt][Oo]|[Dd][Hh][Cc][Pp]|[Ss][Tt][Aa][Tt][Ii][Cc]|[Ll][Ii][Nn][Kk]_[Uu][Pp])$' }),
          'AUTO, DHCP, STATIC or LINK_UP.',
        ),
        subnet: optional(Type.String(), 'The id of the subnet, or cidr:NETWORK; needed for all but LINK_UP.'),
        ip_address: optional(Type.String(), 'The address, for STATIC only; left out, the next free one is taken.'),
        force: optional(Type.Boolean(), 'For LINK_UP: drop other links of the interface.'),
        default_gateway: optional(Type.Boolean(), "Use this subnet's router as the machine's default route."),
      },
      reply: Interface,
      errors: ['not_found', 'wrong_state', 'in_use'],
      policy: 'user',
      reach: 'id',
    }),
    unlink_subnet: post({
      op: 'unlink_subnet',
      doc: 'Remove one link of an interface.',
      params: { id: required(Type.String(), 'The id of the link.') },
      reply: Interface,
      errors: ['not_found', 'wrong_state'],
      policy: 'user',
      reach: 'id',
    }),
    disconnect: post({
      op: 'disconnect',
      doc: 'Remove all links of an interface and take it off its VLAN.',
      reply: Interface,
      errors: ['not_found', 'wrong_state'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
