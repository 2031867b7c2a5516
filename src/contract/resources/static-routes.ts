/** Static routes: how machines on one subnet reach another. Read only for now: clients list them before they allocate. */
import { Type } from 'typebox';
import { get, resource } from '../route.ts';
import { Id } from './field.ts';
import { Subnet } from './subnets.ts';

export const StaticRoute = Type.Object({
  id: Id,
  source: Subnet,
  destination: Subnet,
  gateway_ip: Type.String(),
  metric: Type.Integer(),
  resource_uri: Type.String(),
});

export const staticRoutes = {
  ...resource('StaticRoutes', 'static-routes/', 'How machines on one subnet reach another.', {
    read: get({ doc: 'List all static routes.', reply: Type.Array(StaticRoute), policy: 'user', reach: 'gather', partial: true }),
  }),
};
