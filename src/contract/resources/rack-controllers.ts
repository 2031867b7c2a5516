/** Rack controllers, for clients that look for one: each cell shows itself as the one rack it is. */
import { Type } from 'typebox';
import { get, resource } from '../route.ts';
import { Domain } from './domains.ts';
import { nullable } from './field.ts';
import { Interface } from './interfaces.ts';
import { Zone } from './zones.ts';

export const RackController = Type.Object({
  system_id: Type.String(),
  hostname: Type.String(),
  description: Type.String(),
  domain: Domain,
  fqdn: Type.String(),
  architecture: nullable(Type.String()),
  cpu_count: Type.Integer(),
  memory: Type.Integer(),
  ip_addresses: Type.Array(Type.String()),
  interface_set: Type.Array(Interface),
  zone: Zone,
  status_action: nullable(Type.String()),
  tag_names: Type.Array(Type.String()),
  version: Type.String(),
  node_type: Type.Integer(),
  node_type_name: Type.String(),
  service_set: Type.Array(Type.Object({ name: Type.String(), status: Type.String(), status_info: Type.String() })),
  resource_uri: Type.String(),
});

/** One power driver; contract/power-types.ts has them all. */
const PowerType = Type.Object({
  driver_type: Type.Literal('power'),
  name: Type.String(),
  description: Type.String(),
  chassis: Type.Boolean(),
  can_probe: Type.Boolean(),
  queryable: Type.Boolean(),
  missing_packages: Type.Array(Type.String()),
  fields: Type.Array(
    Type.Object({
      name: Type.String(),
      label: Type.String(),
      field_type: Type.String(),
      choices: Type.Array(Type.Tuple([Type.String(), Type.String()])),
      default: Type.Union([Type.String(), Type.Array(Type.String())]),
      required: Type.Boolean(),
      scope: Type.String(),
      secret: Type.Boolean(),
    }),
  ),
});

export const rackControllers = {
  ...resource('RackControllers', 'rackcontrollers/', 'The cells, as racks.', {
    read: get({
      doc: 'List the cells as rack controllers.',
      reply: Type.Array(RackController),
      policy: 'user',
      reach: 'gather',
      partial: true,
    }),
    describe_power_types: get({
      op: 'describe_power_types',
      doc: 'List the power drivers and what each must be told.',
      reply: Type.Array(PowerType),
      policy: 'user',
      reach: 'any',
    }),
  }),
};
