/** Resource pools: who may use which machines, a global row. Pool 0 is `default` and always there. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Description, Id, Name, Nothing } from './field.ts';

export const ResourcePool = Type.Object({
  id: Id,
  name: Type.String(),
  description: Type.String(),
  resource_uri: Type.String(),
});

export const resourcePools = {
  ...resource(
    'ResourcePools',
    'resourcepools/',
    'Resource pools divide machines among teams or purposes; every machine is in exactly one.',
    {
      read: get({ doc: 'List all resource pools.', reply: Type.Array(ResourcePool), policy: 'user', reach: 'hub' }),
      create: post({
        doc: 'Create a resource pool.',
        params: { name: required(Name, 'The name of the new pool.'), description: optional(Description, 'What the pool is for.') },
        reply: ResourcePool,
        policy: 'admin',
        reach: 'hub',
      }),
    },
  ),
  ...resource('ResourcePool', 'resourcepool/{id}/', 'One resource pool, by its id or its name.', {
    read: get({ doc: 'Read a resource pool.', reply: ResourcePool, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a resource pool.',
      params: { name: optional(Name, 'The new name.'), description: optional(Description, 'The new description.') },
      reply: ResourcePool,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a resource pool.\n\nRefused while a machine is in it, and always for the default pool.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['in_use', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
