/** Network interfaces of machines and devices, and their links to subnets. */
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

/** What Linux takes as a name: 15 bytes (IFNAMSIZ) without space, slash or colon, and neither `.` nor `..`. */
const InterfaceName = Type.String({ minLength: 1, maxLength: 15, pattern: '^(?!\\.{1,2}$)[A-Za-z0-9_.-]+$' });
const tags = Type.Array(Type.String({ maxLength: 256 }), { maxItems: 100 });
const mtu = optional(Type.Integer({ minimum: 552, maximum: 65535 }), 'Its MTU in bytes; left out, that of its VLAN.');
const acceptRa = optional(Type.Boolean(), 'Whether it takes router advertisements; left out, as the system has it.');
const speed = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });
const InterfaceId = Type.String({ maxLength: 20 });
const parentList = Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 64 });

const tagsToHave = optional(tags, 'Its tags, repeated or separated by commas.');
const milliseconds = Type.Integer({ minimum: 0, maximum: 2_147_483_647 });

export const bondModes = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb'] as const;
const HashPolicy = oneOf('layer2', 'layer2+3', 'layer3+4', 'encap2+3', 'encap3+4');

const bondSettings = {
  bond_mode: optional(oneOf(...bondModes), 'How the members share the work; left out, active-backup.'),
  bond_miimon: optional(milliseconds, 'How often the links are looked at, in ms; left out, 100.'),
  bond_downdelay: optional(milliseconds, 'How long a lost link is still used, in ms; left out, 0.'),
  bond_updelay: optional(milliseconds, 'How long a new link is not yet used, in ms; left out, 0.'),
  bond_lacp_rate: optional(oneOf('slow', 'fast'), 'How often the partner is asked for LACP packets, in mode 802.3ad; left out, fast.'),
  bond_xmit_hash_policy: optional(HashPolicy, 'What of a packet chooses the member that sends it; left out, layer2.'),
};

const bridgeSettings = {
  bridge_type: optional(oneOf('standard', 'ovs'), "Linux's own bridge, or Open vSwitch, which the image must bring; left out, standard."),
  bridge_stp: optional(Type.Boolean(), 'Whether it speaks the spanning tree protocol; left out, not.'),
  bridge_fd: optional(Type.Integer({ minimum: 0, maximum: 255 }), 'Its forward delay in seconds; left out, 15.'),
};

const changeErrors = ['not_found', 'forbidden', 'not_owner', 'wrong_state', 'conflict'] as const;

export const interfaces = {
  ...resource('Interfaces', 'nodes/{system_id}/interfaces/', 'The network interfaces of one machine or device.', {
    read: get({
      doc: 'List the interfaces of a machine or device.',
      reply: Type.Array(Interface),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    create_physical: post({
      op: 'create_physical',
      doc: 'Add a physical interface to a machine or device.',
      params: {
        mac_address: required(MacAddress, 'Its MAC address; nothing else in the cell may have it.'),
        name: optional(InterfaceName, 'Its name; left out, the next free of eth0, eth1, ….'),
        tags: tagsToHave,
        vlan: optional(Type.String({ maxLength: 100 }), 'The id of the VLAN it is plugged into; empty for not connected.'),
        mtu,
        accept_ra: acceptRa,
      },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    create_bond: post({
      op: 'create_bond',
      doc: 'Make a bond of physical interfaces.\n\nWhat its members were linked to goes: the bond is what has addresses from now on.',
      params: {
        name: required(InterfaceName, 'Its name.'),
        parents: required(parentList, 'The ids of its members, repeated or separated by commas; all on one VLAN, and in nothing else.'),
        mac_address: optional(MacAddress, 'Its MAC address; left out, that of its first member.'),
        tags: tagsToHave,
        vlan: optional(Type.String({ maxLength: 100 }), 'The id of the VLAN it is on, and its members with it; left out, theirs.'),
        ...bondSettings,
        bond_num_grat_arp: optional(
          Type.Integer({ minimum: 0, maximum: 255 }),
          'How often a change of the active member is announced; left out, 1.',
        ),
        mtu,
        accept_ra: acceptRa,
      },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    create_bridge: post({
      op: 'create_bridge',
      doc: 'Make a bridge over one interface.\n\nWhat that was linked to goes: the bridge is what has addresses from now on.',
      params: {
        name: optional(InterfaceName, 'Its name; left out, br- and the name of what it is over.'),
        parent: optional(InterfaceId, 'The id of the interface that it is over.'),
        parents: optional(parentList, 'The same, for clients that send a list.'),
        mac_address: optional(MacAddress, 'Its MAC address; left out, that of the interface it is over.'),
        tags: tagsToHave,
        vlan: optional(Type.String({ maxLength: 100 }), 'The id of the VLAN it is on; left out, that of the interface it is over.'),
        ...bridgeSettings,
        mtu,
        accept_ra: acceptRa,
      },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    create_vlan: post({
      op: 'create_vlan',
      doc: 'Make an interface for a tagged VLAN of another interface.\n\nIts name is that of its parent and the tag, such as eth0.100.',
      params: {
        parent: optional(InterfaceId, 'The id of the interface that carries the VLAN.'),
        parents: optional(parentList, 'The same, for clients that send a list.'),
        vlan: required(Type.String({ maxLength: 100 }), 'The id of the tagged VLAN.'),
        tags: tagsToHave,
        mtu,
        accept_ra: acceptRa,
      },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
  }),
  ...resource('Interface', 'nodes/{system_id}/interfaces/{id}/', 'One network interface of a machine or device.', {
    read: get({ doc: 'Read an interface.', reply: Interface, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change an interface.\n\nOn a deployed machine only its name, MAC address, link and speeds: what a replaced card is known by.',
      params: {
        name: optional(InterfaceName, 'The new name.'),
        mac_address: optional(MacAddress, 'The new MAC address.'),
        tags: optional(tags, 'The tags it shall have, repeated or separated by commas; one empty value for none.'),
        vlan: optional(Type.String({ maxLength: 100 }), 'The id of its new VLAN; empty for not connected. Its links go.'),
        parents: optional(parentList, 'The ids of the interfaces that a bond, bridge or VLAN interface shall be made of.'),
        parent: optional(InterfaceId, 'The same, of a bridge or VLAN interface.'),
        ...bondSettings,
        bond_num_grat_arp: optional(Type.Integer({ minimum: 0, maximum: 255 }), 'How often a change of the active member is announced.'),
        ...bridgeSettings,
        mtu: optional(Type.Integer({ minimum: 552, maximum: 65535 }), 'The new MTU in bytes.'),
        accept_ra: acceptRa,
        link_connected: optional(Type.Boolean(), 'Whether a cable is plugged in..'),
        interface_speed: optional(speed, 'What the interface can do, in Mbit/s.'),
        link_speed: optional(speed, 'What its link runs at, in Mbit/s: no more than the interface can do.'),
      },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete an interface.\n\nWhat is made of nothing else goes with it. Refused for the interface that a machine boots from. Those of machines are deleted by admins.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: [...changeErrors, 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
    add_tag: post({
      op: 'add_tag',
      doc: 'Add a tag to an interface.',
      params: { tag: required(Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\s,]+$' }), 'The tag.') },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    remove_tag: post({
      op: 'remove_tag',
      doc: 'Take a tag from an interface.\n\nOne that it does not have is no error.',
      params: { tag: required(Type.String({ minLength: 1, maxLength: 256 }), 'The tag.') },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
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
        force: optional(Type.Boolean(), 'Drop the other links of the interface, and bring it onto the VLAN of the subnet.'),
        default_gateway: optional(Type.Boolean(), "Use this subnet's router as the machine's default route; for AUTO and STATIC."),
      },
      reply: Interface,
      errors: [...changeErrors, 'in_use'],
      policy: 'user',
      reach: 'id',
    }),
    unlink_subnet: post({
      op: 'unlink_subnet',
      doc: 'Remove one link of an interface.',
      params: { id: required(Type.String(), 'The id of the link.') },
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    disconnect: post({
      op: 'disconnect',
      doc: 'Remove all links of an interface and take it off its VLAN.',
      reply: Interface,
      errors: changeErrors,
      policy: 'user',
      reach: 'id',
    }),
    set_default_gateway: post({
      op: 'set_default_gateway',
      doc: "Make the default route go by this interface.\n\nThe routers of its links' subnets are the machine's default gateways; where several links of one family have one, link_id says which.",
      params: { link_id: optional(Type.String({ maxLength: 20 }), 'The id of the link whose subnet has the router.') },
      reply: Interface,
      errors: [...changeErrors, 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
