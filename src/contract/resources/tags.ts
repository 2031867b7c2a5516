/** Tags: words that admins put on machines. The word is global; which machines have it, each cell knows of its own. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';
import { Machine } from './machine.ts';

export const Tag = Type.Object({
  name: Type.String(),
  definition: Type.String(),
  comment: Type.String(),
  kernel_opts: Type.String(),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9_.-]+$' });
const comment = Type.String({ maxLength: 4096 });
const definition = optional(Type.String({ maxLength: 0 }), 'A rule that tags machines by itself. Not built yet: only empty is accepted.');
const kernelOpts = optional(Type.String({ maxLength: 1024 }), 'Words for the kernel command line of machines with this tag.');

export const tags = {
  ...resource('Tags', 'tags/', 'Tags describe machines, to find and to allocate them by.', {
    read: get({ doc: 'List all tags.', reply: Type.Array(Tag), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Create a tag.',
      params: {
        name: required(name, 'The tag.'),
        comment: optional(comment, 'What it says of a machine.'),
        definition,
        kernel_opts: kernelOpts,
      },
      reply: Tag,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Tag', 'tags/{name}/', 'One tag.', {
    read: get({ doc: 'Read a tag.', reply: Tag, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a tag.',
      params: {
        name: optional(name, 'The new name; machines keep the tag.'),
        comment: optional(comment, 'What it says of a machine.'),
        definition,
        kernel_opts: kernelOpts,
      },
      reply: Tag,
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a tag.\n\nMachines lose it; absent cells take it off when they are back.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    machines: get({
      op: 'machines',
      doc: 'List the machines that have a tag.',
      reply: Type.Array(Machine),
      errors: ['not_found'],
      policy: 'user',
      reach: 'gather',
      partial: true,
    }),
    nodes: get({
      op: 'nodes',
      doc: 'List everything that has a tag.\n\nOnly machines have tags today, so this is the same list.',
      reply: Type.Array(Machine),
      errors: ['not_found'],
      policy: 'user',
      reach: 'gather',
      partial: true,
    }),
    update_nodes: post({
      op: 'update_nodes',
      doc: 'Put a tag on machines, or take it off.',
      params: {
        add: optional(Type.Array(Type.String()), 'The system_id of a machine that gets the tag; may be repeated.'),
        remove: optional(Type.Array(Type.String()), 'The system_id of a machine that loses the tag; may be repeated.'),
      },
      reply: Type.Object({ added: Type.Integer(), removed: Type.Integer() }),
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'split',
      strangers: 'ignored',
    }),
  }),
};
