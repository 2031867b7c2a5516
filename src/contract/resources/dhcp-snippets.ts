/**
 * DHCP snippets: pieces of Kea's configuration that operators add, for everything, one subnet, one range or one node. A value is a JSON object
 * of the settings that are allowed (netboot/dhcp-snippet.ts); ISC dhcpd's language is not understood. Every former value is kept.
 */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Description, Id, Nothing, nullable } from './field.ts';
import { IPRange } from './ip-ranges.ts';
import { Subnet } from './subnets.ts';

const SnippetNode = Type.Object({
  system_id: Type.String(),
  hostname: Type.String(),
  node_type: Type.Integer(),
  resource_uri: Type.String(),
});

const DHCPSnippet = Type.Object({
  id: Id,
  name: Type.String(),
  value: Type.String(),
  /** Newest first: what `revert` goes back to. */
  history: Type.Array(Type.Object({ id: Id, value: Type.String(), created: Type.String() })),
  description: Type.String(),
  enabled: Type.Boolean(),
  node: nullable(SnippetNode),
  subnet: nullable(Subnet),
  iprange: nullable(IPRange),
  global_snippet: Type.Boolean(),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 255 });
const value = Type.String({ minLength: 2, maxLength: 16_384 });
const place = {
  node: optional(Type.String({ maxLength: 300 }), 'The system_id of the machine or device that gets it.'),
  subnet: optional(Type.String({ maxLength: 300 }), 'The subnet it is for: id, CIDR or name.'),
  iprange: optional(Type.String({ maxLength: 40 }), 'The id of the dynamic range it is for.'),
  global_snippet: optional(Type.Boolean(), 'True: it is for every subnet.'),
};

export const dhcpSnippets = {
  ...resource('DHCPSnippets', 'dhcp-snippets/', 'Pieces of DHCP configuration.', {
    read: get({ doc: 'List all DHCP snippets.', reply: Type.Array(DHCPSnippet), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create a DHCP snippet.\n\nWithout node, subnet or iprange it is for every subnet of the cell.',
      params: {
        name: required(name, 'Its name.'),
        value: required(value, 'A JSON object of Kea settings: option-data and lifetimes.'),
        description: optional(Description, 'What it does.'),
        enabled: optional(Type.Boolean(), 'Whether it is in force; true when left out.'),
        ...place,
        cell: optional(Type.String(), 'The cell that gets it; needed at a front where no id says so.'),
      },
      reply: DHCPSnippet,
      errors: ['unplaced', 'bad_request'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('DHCPSnippet', 'dhcp-snippets/{id}/', 'One DHCP snippet.', {
    read: get({ doc: 'Read a DHCP snippet.', reply: DHCPSnippet, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a DHCP snippet.\n\nThe value that it had is kept in its history.',
      params: {
        name: optional(name, 'The new name.'),
        value: optional(value, 'The new value.'),
        description: optional(Description, 'What it does.'),
        enabled: optional(Type.Boolean(), 'Whether it is in force.'),
        ...place,
      },
      reply: DHCPSnippet,
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a DHCP snippet and its history.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    revert: post({
      op: 'revert',
      doc: 'Go back to a former value.\n\nThe values after it are forgotten.',
      params: {
        to: required(
          Type.Integer({ minimum: -1_000_000, maximum: Number.MAX_SAFE_INTEGER }),
          'The id of an entry of its history, or how many to go back: -1 is the value before this one.',
        ),
      },
      reply: DHCPSnippet,
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
