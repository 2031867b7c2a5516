/** Static routes: how machines on one subnet reach another. A route belongs to the cell of its source. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { AddressText, Id, Nothing } from './field.ts';
import { Subnet } from './subnets.ts';

export const StaticRoute = Type.Object({
  id: Id,
  source: Subnet,
  destination: Subnet,
  gateway_ip: Type.String(),
  metric: Type.Integer(),
  resource_uri: Type.String(),
});

const subnet = Type.String({ minLength: 1, maxLength: 300 });
const metric = optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), 'Which of several is taken: the lowest; 0 when left out.');

export const staticRoutes = {
  ...resource('StaticRoutes', 'static-routes/', 'How machines on one subnet reach another.', {
    read: get({ doc: 'List all static routes.', reply: Type.Array(StaticRoute), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create a static route.\n\nMachines that are deployed on the source from then on get it.',
      params: {
        source: required(subnet, 'The subnet whose machines get the route: its id, CIDR or name.'),
        destination: required(subnet, 'The subnet that it leads to.'),
        gateway_ip: required(AddressText, 'The router, an address in the source.'),
        metric,
        cell: optional(Type.String(), 'The cell of the subnets; needed at a front where no id says so.'),
      },
      reply: StaticRoute,
      errors: ['unplaced'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('StaticRoute', 'static-routes/{id}/', 'One static route.', {
    read: get({ doc: 'Read a static route.', reply: StaticRoute, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a static route.',
      params: {
        source: optional(subnet, 'The subnet whose machines get the route.'),
        destination: optional(subnet, 'The subnet that it leads to.'),
        gateway_ip: optional(AddressText, 'The router, an address in the source.'),
        metric,
      },
      reply: StaticRoute,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a static route.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
