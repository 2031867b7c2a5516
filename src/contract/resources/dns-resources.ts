/** Names in DNS domains: their addresses, and records of other types. A name belongs to the cell of its domain. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing, nullable, oneOf } from './field.ts';
import { IPAddress } from './ip-addresses.ts';

const DNSResourceRecord = Type.Object({
  id: Id,
  fqdn: Type.String(),
  rrtype: Type.String(),
  rrdata: Type.String(),
  ttl: nullable(Type.Integer()),
  resource_uri: Type.String(),
});

/** A record that follows from a machine's name and address, as `all` shows it. */
const ImplicitRecord = Type.Object({
  ttl: nullable(Type.Integer()),
  rrtype: Type.String(),
  rrdata: Type.String(),
  system_id: nullable(Type.String()),
  node_type: nullable(Type.Integer()),
});

const DNSResource = Type.Object({
  /** -1 for one that follows from a machine. */
  id: Type.Integer({ minimum: -1 }),
  fqdn: Type.String(),
  address_ttl: nullable(Type.Integer()),
  ip_addresses: nullable(Type.Array(IPAddress)),
  resource_records: Type.Array(Type.Union([DNSResourceRecord, ImplicitRecord])),
  resource_uri: Type.String(),
});

/** The types whose data is checked; A and AAAA are made by giving a name addresses. */
const recordTypes = ['CNAME', 'MX', 'NS', 'SRV', 'SSHFP', 'TXT'] as const;
const anyType = oneOf('A', 'AAAA', ...recordTypes, 'a', 'aaaa', 'cname', 'mx', 'ns', 'srv', 'sshfp', 'txt');
const fqdn = Type.String({ minLength: 1, maxLength: 253 });
const name = Type.String({ minLength: 1, maxLength: 253 });
const domain = Type.String({ minLength: 1, maxLength: 300 });
const ttl = Type.Integer({ minimum: 0, maximum: 604_800 });
const rrdata = Type.String({ minLength: 1, maxLength: 4096 });
const addresses = Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256 });

const filters = {
  fqdn: optional(fqdn, 'Only this whole name; not looked at beside name or domain.'),
  domain: optional(domain, 'Only names in this domain: its name or id.'),
  name: optional(name, 'Only this name within its domain.'),
  rrtype: optional(anyType, 'Only names with a record of this type, or records of it.'),
};
const naming = {
  fqdn: optional(fqdn, 'The whole name; not looked at beside name or domain.'),
  name: optional(name, 'The name within its domain; @ is the domain itself.'),
  domain: optional(domain, 'The domain: its name or id.'),
};
const addressing = {
  address_ttl: optional(ttl, 'How long its addresses may be kept, in seconds; 0 or empty: as the domain says.'),
  ip_addresses: optional(addresses, 'Its addresses, repeated or separated by commas or spaces.'),
};
const cell = optional(Type.String(), 'The cell of the domain; needed at a front where nothing else says so.');

export const dnsResources = {
  ...resource('DNSResources', 'dnsresources/', 'Names in DNS domains.', {
    read: get({
      doc: 'List names in DNS domains.',
      params: { ...filters, all: optional(Type.Boolean(), 'With the names of machines.') },
      reply: Type.Array(DNSResource),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['domain'],
    }),
    create: post({
      doc: 'Create a name with addresses.',
      params: { ...naming, ...addressing, cell },
      reply: DNSResource,
      errors: ['unplaced', 'not_found'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('DNSResource', 'dnsresources/{id}/', 'One name in a DNS domain.', {
    read: get({ doc: 'Read a name.', reply: DNSResource, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a name or its addresses.',
      params: { ...naming, ...addressing },
      reply: DNSResource,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a name with its addresses and records.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};

export const dnsResourceRecords = {
  ...resource('DNSResourceRecords', 'dnsresourcerecords/', 'DNS records that are no addresses.', {
    read: get({
      doc: 'List records.',
      params: filters,
      reply: Type.Array(DNSResourceRecord),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['domain'],
    }),
    create: post({
      doc: 'Create a record.\n\nIts name is made when there is none.',
      params: {
        ...naming,
        rrtype: required(anyType, 'Its type: CNAME, MX, NS, SRV, SSHFP or TXT.'),
        rrdata: required(rrdata, 'What it says, as in a zone file.'),
        ttl: optional(ttl, 'How long it may be kept, in seconds; 0 or empty: as the domain says.'),
        cell,
      },
      reply: DNSResourceRecord,
      errors: ['unplaced', 'not_found'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('DNSResourceRecord', 'dnsresourcerecords/{id}/', 'One DNS record.', {
    read: get({ doc: 'Read a record.', reply: DNSResourceRecord, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a record.',
      params: {
        rrtype: optional(anyType, 'The new type.'),
        rrdata: optional(rrdata, 'What it says.'),
        ttl: optional(ttl, 'How long it may be kept, in seconds.'),
      },
      reply: DNSResourceRecord,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a record; with the last thing that it says, its name goes too.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
