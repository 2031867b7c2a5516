/**
 * VLANs: one layer-2 network of a fabric. DHCP and enlistment are switched here, and nothing is answered on a VLAN where `dhcp_on` is false.
 *
 * A VLAN has two paths: by its tag within a fabric, which clients find in the describe document, and by its own id, which `resource_uri`
 * uses. The second is the alias `VlanById` (see `aliases` in routes.ts).
 */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Description, Id, Name, Nothing, nullable } from './field.ts';

export const Vlan = Type.Object({
  id: Id,
  name: Type.String(),
  vid: Type.Integer(),
  fabric: Type.String(),
  fabric_id: Id,
  mtu: Type.Integer(),
  /** The system_id of the cell's own rack while it serves DHCP here. */
  primary_rack: nullable(Type.String()),
  secondary_rack: nullable(Type.String()),
  dhcp_on: Type.Boolean(),
  /** The address of a foreign DHCP server that was seen here. */
  external_dhcp: nullable(Type.String()),
  /** The id of the VLAN that relays for this one. */
  relay_vlan: nullable(Id),
  /** The name of its space, `undefined` when it is in none. */
  space: Type.String(),
  /** Ours: whether unknown machines that boot here are enlisted. */
  enlists: Type.Boolean(),
  resource_uri: Type.String(),
});

const vid = Type.Integer({ minimum: 0, maximum: 4094 });
const mtu = Type.Integer({ minimum: 552, maximum: 65535 });

const changes = {
  name: optional(Name, 'The new name.'),
  description: optional(Description, 'The new description.'),
  vid: optional(vid, 'The new tag; 0 is the untagged network.'),
  mtu: optional(mtu, 'The largest packet that every port of this VLAN carries, in bytes.'),
  space: optional(Type.String(), 'The name or id of the space this VLAN is in; empty takes it out.'),
  dhcp_on: optional(Type.Boolean(), 'Whether the cell answers DHCP here; needs a dynamic range in one of its subnets.'),
  enlists: optional(Type.Boolean(), 'Whether unknown machines that boot here are enlisted.'),
  relay_vlan: optional(Type.String(), 'The id of the VLAN whose DHCP service answers for this one through a relay; empty for none.'),
  primary_rack: optional(Type.String(), 'Accepted for clients that must name a rack to switch DHCP on; the cell itself is the only one.'),
  secondary_rack: optional(Type.String(), 'A second process of the cell, or empty: which of them serve DHCP follows from which are there.'),
};

const read = get({ doc: 'Read a VLAN.', reply: Vlan, errors: ['not_found'], policy: 'user', reach: 'id' });
const update = put({
  doc: 'Change a VLAN.',
  params: changes,
  reply: Vlan,
  errors: ['not_found', 'bad_request'],
  policy: 'admin',
  reach: 'id',
});
const removal = remove({
  doc: 'Delete a VLAN.\n\nRefused while an interface or a subnet is on it, and always for the untagged VLAN of a fabric.',
  reply: Nothing,
  status: 204,
  type: 'none',
  errors: ['not_found', 'in_use', 'bad_request'],
  policy: 'admin',
  reach: 'id',
});

export const vlans = {
  ...resource('Vlans', 'fabrics/{fabric_id}/vlans/', 'The VLANs of one fabric.', {
    read: get({ doc: 'List the VLANs of a fabric.', reply: Type.Array(Vlan), errors: ['not_found'], policy: 'user', reach: 'id' }),
    create: post({
      doc: 'Create a VLAN in a fabric.',
      params: {
        vid: required(vid, 'Its tag.'),
        name: optional(Name, 'Its name; left out, it is called after its tag.'),
        description: optional(Description, 'What it is for.'),
        mtu: optional(mtu, 'The largest packet that every port of it carries, in bytes; 1500 when left out.'),
        space: optional(Type.String(), 'The name or id of the space it is in.'),
        enlists: optional(Type.Boolean(), 'Whether unknown machines that boot here are enlisted; true when left out.'),
      },
      reply: Vlan,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
  ...resource('Vlan', 'fabrics/{fabric_id}/vlans/{vid}/', 'One VLAN, named by its fabric and its tag.', { read, update, delete: removal }),
  ...resource('VlanById', 'vlans/{vlan_id}/', 'One VLAN, named by its own id.', { read, update, delete: removal }),
};
