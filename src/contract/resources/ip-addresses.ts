/** Addresses that people took for themselves, and, for admins, every address that somebody has. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { AddressText, MacAddress, Nothing, nullable } from './field.ts';
import { Interface } from './interfaces.ts';
import { Subnet } from './subnets.ts';
import { User } from './users.ts';

export const IPAddress = Type.Object({
  /** 0 auto, 1 sticky, 4 taken by a user, 5 DHCP, 6 seen. */
  alloc_type: Type.Integer(),
  alloc_type_name: Type.String(),
  created: Type.String(),
  ip: Type.String(),
  /** Null for an address of a DNS resource that lies in no subnet of the cell. */
  subnet: nullable(Subnet),
  owner: nullable(User),
  /** The interface of the machine that has it; empty for one that a user took. */
  interface_set: Type.Array(Interface),
  /** Ours: the MAC that it was taken for. */
  mac_address: nullable(Type.String()),
  resource_uri: Type.String(),
});

/** One label, or a whole name with its domain. */
const HostOrName = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$',
});

export const ipAddresses = {
  ...resource('IPAddresses', 'ipaddresses/', 'Addresses that are taken.', {
    read: get({
      doc: 'List the addresses that the asker has taken.\n\nAdmins may list those of another user, or all addresses of all machines and users.',
      params: {
        ip: optional(AddressText, 'Only this address.'),
        all: optional(Type.Boolean(), 'All addresses, whoever has them; for admins.'),
        owner: optional(Type.String({ maxLength: 150 }), 'The addresses of this user; for admins.'),
      },
      reply: Type.Array(IPAddress),
      errors: ['forbidden'],
      policy: 'user',
      reach: 'gather',
      partial: true,
    }),
    reserve: post({
      op: 'reserve',
      doc: 'Take an address, so that no machine gets it.\n\nA named one, or the first that is free in a subnet. With a MAC, DHCP gives it to that MAC.',
      params: {
        subnet: optional(Type.String({ maxLength: 300 }), 'The subnet: its id, CIDR or name.'),
        ip: optional(AddressText, 'The address.'),
        ip_address: optional(AddressText, 'The same as ip.'),
        hostname: optional(HostOrName, 'A name to make for it in DNS, in the default domain unless it has one.'),
        mac: optional(MacAddress, 'The MAC that shall get it.'),
        cell: optional(Type.String(), 'The cell of the subnet; needed at a front where nothing else says so.'),
      },
      reply: IPAddress,
      errors: ['unplaced', 'bad_request', 'in_use', 'addresses_exhausted'],
      policy: 'user',
      reach: 'place',
    }),
    release: post({
      op: 'release',
      doc: 'Give back an address that was taken.\n\nOnly its owner may. Admins may use force to take it from anybody, machines included.',
      params: {
        ip: required(AddressText, 'The address.'),
        force: optional(Type.Boolean(), 'Whoever has it; for admins.'),
        discovered: optional(Type.Boolean(), 'Forget that it was seen on the network; with force.'),
        cell: optional(Type.String(), 'The cell of the subnet; needed at a front where nothing else says so.'),
      },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'forbidden', 'unplaced', 'wrong_state'],
      policy: 'user',
      reach: 'place',
    }),
  }),
};
