/**
 * Spaces: names for sets of VLANs that may talk to each other. The name is global; which VLANs are in it, each cell knows of its own, so
 * the lists in a space hold those of the cells that answer. VLANs in no space are shown as the space `undefined`, id -1.
 */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Description, Name, Nothing } from './field.ts';
import { Subnet } from './subnets.ts';
import { Vlan } from './vlans.ts';

export const Space = Type.Object({
  id: Type.Integer({ minimum: -1 }),
  name: Type.String(),
  description: Type.String(),
  vlans: Type.Array(Vlan),
  subnets: Type.Array(Subnet),
  resource_uri: Type.String(),
});

export const spaces = {
  ...resource('Spaces', 'spaces/', 'Spaces: sets of networks that may talk to each other.', {
    read: get({ doc: 'List all spaces.', reply: Type.Array(Space), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Create a space.',
      params: { name: required(Name, 'The name of the new space.'), description: optional(Description, 'What is in it.') },
      reply: Space,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Space', 'spaces/{id}/', 'One space.', {
    read: get({ doc: 'Read a space.', reply: Space, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a space.',
      params: { name: optional(Name, 'The new name.'), description: optional(Description, 'The new description.') },
      reply: Space,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a space.\n\nVLANs in it are in no space from then on.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
