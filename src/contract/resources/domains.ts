/** DNS domains. A domain belongs to one cell, which answers for its names; the hub only reserves the name. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { DomainNameText as name } from './domain-names.ts';
import { Id, Nothing, nullable } from './field.ts';

export const Domain = Type.Object({
  id: Id,
  name: Type.String(),
  authoritative: Type.Boolean(),
  ttl: nullable(Type.Integer()),
  is_default: Type.Boolean(),
  resource_record_count: Type.Integer(),
  resource_uri: Type.String(),
});

const forwardServers = optional(
  Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 }),
  'Addresses of resolvers that answer for it where the cell does not, repeated or separated by commas or spaces; empty for none.',
);
const ttl = Type.Integer({ minimum: 1, maximum: 604_800 });

export const domains = {
  ...resource('Domains', 'domains/', 'DNS domains. The names of machines are unique within theirs.', {
    read: get({ doc: 'List all domains.', reply: Type.Array(Domain), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create a domain in one cell.',
      params: {
        name: required(name, 'The name of the new domain.'),
        authoritative: optional(Type.Boolean(), 'Whether the cell answers for the whole domain (the default) or only adds names to it.'),
        ttl: optional(ttl, 'How long answers may be kept, in seconds.'),
        forward_dns_servers: forwardServers,
        cell: optional(Type.String(), 'The cell that gets the domain; needed at a front when there is more than one.'),
      },
      reply: Domain,
      errors: ['unplaced', 'in_use', 'hub_owned'],
      policy: 'admin',
      reach: 'place',
      unique: 'name',
    }),
    set_serial: post({
      op: 'set_serial',
      doc: 'Set the serial number that all zones have next.',
      params: { serial: required(Type.Integer({ minimum: 1, maximum: 4_294_967_295 }), 'The number (RFC 1035 §3.3.13).') },
      reply: Nothing,
      policy: 'admin',
      reach: 'gather',
    }),
  }),
  ...resource('Domain', 'domains/{id}/', 'One DNS domain.', {
    read: get({ doc: 'Read a domain.', reply: Domain, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a domain.',
      params: {
        name: optional(name, 'The new name.'),
        authoritative: optional(Type.Boolean(), 'Whether the cell answers for the whole domain.'),
        ttl: optional(ttl, 'How long answers may be kept, in seconds.'),
        forward_dns_servers: forwardServers,
      },
      reply: Domain,
      errors: ['not_found', 'in_use', 'hub_owned'],
      policy: 'admin',
      reach: 'id',
      unique: 'name',
    }),
    delete: remove({
      doc: 'Delete a domain.\n\nRefused while a machine or a DNS resource is in it, and always for the default domain.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'in_use', 'bad_request'],
      policy: 'admin',
      reach: 'id',
      unique: 'name',
    }),
    set_default: post({
      op: 'set_default',
      doc: 'Make this the domain that new machines of its cell are put in.',
      reply: Domain,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
