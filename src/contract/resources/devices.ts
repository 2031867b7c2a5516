/** Devices: what has addresses and names here and is not managed, such as containers of a machine, switches and printers. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Domain } from './domains.ts';
import { Description, Dictionary, Hostname, MacAddress, Nothing, nullable } from './field.ts';
import { Interface } from './interfaces.ts';
import { machineFilters } from './machine-filters.ts';
import { details, isRegistered, powerParameters, setZone } from './node-actions.ts';
import { Zone } from './zones.ts';

export const Device = Type.Object({
  system_id: Type.String(),
  hostname: Type.String(),
  description: Type.String(),
  domain: Domain,
  fqdn: Type.String(),
  owner: nullable(Type.String()),
  owner_data: Dictionary,
  workload_annotations: Dictionary,
  /** The system_id of the node that it lives on. */
  parent: nullable(Type.String()),
  tag_names: Type.Array(Type.String()),
  address_ttl: nullable(Type.Integer()),
  ip_addresses: Type.Array(Type.String()),
  interface_set: Type.Array(Interface),
  zone: Zone,
  node_type: Type.Literal(1),
  node_type_name: Type.Literal('Device'),
  resource_uri: Type.String(),
});

const description = optional(Description, 'What it is for.');
const parent = Type.String({ maxLength: 64 });
const changes = { reply: Device, errors: ['not_found', 'not_owner', 'forbidden'], policy: 'user', reach: 'id' } as const;

export const devices = {
  ...resource('Devices', 'devices/', 'The devices of the fleet: known by name and address, never booted, allocated or erased.', {
    read: get({
      doc: 'List devices.\n\nThe filters are those of machines; a device has no hardware, pool, or power state to be found by.',
      params: machineFilters,
      // Keys that are no filter reach the handler, which refuses them.
      free: true,
      reply: Type.Array(Device),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['id', 'system_id', 'hostname', 'mac_address', 'owner', 'agent_name'],
    }),
    create: post({
      doc: 'Add a device.\n\nIt belongs to whoever adds it.',
      params: {
        mac_addresses: required(Type.Array(MacAddress, { minItems: 1, maxItems: 256 }), 'A MAC address of it; may be repeated.'),
        hostname: optional(Hostname, 'Its host name; left out, one is made up.'),
        description,
        domain: optional(Type.String(), 'The name or id of its domain; left out, the default one.'),
        parent: optional(parent, 'The system_id of the node that it lives on: it is deleted with it.'),
        zone: optional(Type.String(), 'The name of its zone.'),
        cell: optional(Type.String(), 'The cell that gets it; needed at a front when neither parent, domain nor zone say so.'),
      },
      reply: Device,
      errors: ['unplaced', 'conflict'],
      policy: 'user',
      reach: 'place',
    }),
    is_registered: isRegistered,
    set_zone: setZone,
  }),
  ...resource('Device', 'devices/{system_id}/', 'One device.', {
    read: get({ doc: 'Read a device.', reply: Device, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a device.\n\nIts owner may, and admins.',
      params: {
        hostname: optional(Hostname, 'The new host name.'),
        description,
        domain: optional(Type.String(), 'The name or id of its new domain, in the same cell.'),
        parent: optional(parent, 'The system_id of the node that it lives on; empty for none.'),
        zone: optional(Type.String(), 'The name of its new zone.'),
      },
      ...changes,
      errors: [...changes.errors, 'conflict'],
    }),
    delete: remove({
      doc: 'Forget a device, its interfaces and its addresses.',
      ...changes,
      reply: Nothing,
      status: 204,
      type: 'none',
    }),
    details,
    power_parameters: powerParameters,
    restore_default_configuration: post({
      op: 'restore_default_configuration',
      doc: 'Give a device the configuration that it began with.\n\nThat is the configuration of its network: it has no other.',
      ...changes,
      policy: 'admin',
    }),
    restore_networking_configuration: post({
      op: 'restore_networking_configuration',
      doc: 'Give the interfaces of a device the links that they began with: none.',
      ...changes,
      policy: 'admin',
    }),
    set_owner_data: post({
      op: 'set_owner_data',
      doc: 'Write down keys and values with a device that the caller owns.\n\nEvery parameter is one key; an empty value removes it.',
      free: true,
      ...changes,
    }),
    set_workload_annotations: post({
      op: 'set_workload_annotations',
      doc: 'Write down what runs on a device that the caller owns.\n\nEvery parameter is one key; an empty value removes it.',
      free: true,
      ...changes,
    }),
  }),
};
