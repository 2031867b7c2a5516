/** IP ranges: the parts of a subnet that DHCP gives out (dynamic), and those that nobody gets (reserved). */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { AddressText, Comment, Id, Nothing, nullable, oneOf } from './field.ts';
import { Subnet } from './subnets.ts';
import { User } from './users.ts';

export const IPRange = Type.Object({
  id: Id,
  type: oneOf('reserved', 'dynamic'),
  start_ip: Type.String(),
  end_ip: Type.String(),
  comment: Type.String(),
  user: nullable(User),
  subnet: Subnet,
  resource_uri: Type.String(),
});

export const ipRanges = {
  ...resource('IPRanges', 'ipranges/', 'Parts of subnets with a purpose.', {
    read: get({ doc: 'List all IP ranges.', reply: Type.Array(IPRange), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create an IP range.\n\nRefused when it overlaps another range or an address that somebody has. Dynamic ranges are for admins; a reserved one belongs to its maker.',
      params: {
        type: required(oneOf('reserved', 'dynamic'), 'dynamic: DHCP gives these out; reserved: nobody gets them.'),
        start_ip: required(AddressText, 'The first address.'),
        end_ip: required(AddressText, 'The last address.'),
        subnet: optional(Type.String(), 'The id of the subnet, or cidr:NETWORK; left out, the one that the addresses are in.'),
        comment: optional(Comment, 'What it is for.'),
        cell: optional(Type.String(), 'The cell that gets the range; needed at a front when no id says so.'),
      },
      reply: IPRange,
      errors: ['unplaced', 'bad_request', 'forbidden'],
      policy: 'user',
      reach: 'place',
    }),
  }),
  ...resource('IPRange', 'ipranges/{id}/', 'One IP range.', {
    read: get({ doc: 'Read an IP range.', reply: IPRange, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change an IP range.',
      params: {
        start_ip: optional(AddressText, 'The new first address.'),
        end_ip: optional(AddressText, 'The new last address.'),
        comment: optional(Comment, 'What it is for.'),
      },
      reply: IPRange,
      errors: ['not_found', 'bad_request', 'forbidden'],
      policy: 'user',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete an IP range.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'forbidden'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
