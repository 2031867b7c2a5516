/** Reserved IPs: an address that DHCP keeps for one MAC. Each belongs to the cell of its subnet. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { AddressText, Id, MacAddress, Nothing } from './field.ts';
import { Subnet } from './subnets.ts';
import { Vlan } from './vlans.ts';

const ReservedIp = Type.Object({
  id: Id,
  ip: Type.String(),
  mac_address: Type.String(),
  comment: Type.String(),
  subnet: Subnet,
  vlan: Vlan,
  resource_uri: Type.String(),
});
const comment = Type.String({ maxLength: 255 });

export const reservedIps = {
  ...resource('ReservedIps', 'reservedips/', 'Addresses that DHCP keeps for one MAC each.', {
    read: get({ doc: 'List all reserved IPs.', reply: Type.Array(ReservedIp), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Keep an address for a MAC.',
      params: {
        ip: required(AddressText, 'The address.'),
        subnet: optional(Type.String({ maxLength: 300 }), 'Its subnet: id, CIDR or name; left out, the one that it lies in.'),
        mac_address: required(MacAddress, 'The MAC that gets it.'),
        comment: optional(comment, 'What it is for.'),
        cell: optional(Type.String(), 'The cell of the subnet; needed at a front where nothing else says so.'),
      },
      reply: ReservedIp,
      errors: ['unplaced', 'bad_request'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('ReservedIp', 'reservedips/{id}/', 'One reserved IP.', {
    read: get({ doc: 'Read a reserved IP.', reply: ReservedIp, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change the comment of a reserved IP.\n\nAddress, MAC and subnet stay: delete it and make another.',
      params: {
        comment: optional(comment, 'What it is for.'),
        ip: optional(AddressText, 'Only the same.'),
        mac_address: optional(MacAddress, 'Only the same.'),
        subnet: optional(Type.String({ maxLength: 300 }), 'Only the same.'),
      },
      reply: ReservedIp,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a reserved IP.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
