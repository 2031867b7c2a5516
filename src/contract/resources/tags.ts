/** Tags: words that admins put on machines. The word is global; which machines have it, each cell knows of its own. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Device } from './devices.ts';
import { Nothing } from './field.ts';
import { Machine } from './machine.ts';
import { Node } from './nodes.ts';
import { RackController } from './rack-controllers.ts';

export const Tag = Type.Object({
  name: Type.String(),
  definition: Type.String(),
  comment: Type.String(),
  kernel_opts: Type.String(),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9_.-]+$' });
const comment = Type.String({ maxLength: 4096 });
/** Longest definition, in characters: what is longer is no question that a person asks. */
export const longestDefinition = 10_000;

const definition = optional(
  Type.String({ maxLength: longestDefinition }),
  'An XPath 1.0 expression over what lshw (lshw:, or no prefix) and lldp (lldp:) say: machines that it holds for have the tag, others do not. Empty: the tag is put on by hand.',
);
/** What a boot script can carry (cell/netboot/kernel-parameters.ts): names, and values without what iPXE, GRUB or sh would expand. */
const kernelOpts = optional(
  Type.String({ maxLength: 1024, pattern: '^ *([A-Za-z0-9][A-Za-z0-9_.-]{0,63}(=[A-Za-z0-9_.,:/@%+=~-]{0,512})?( +|$))*$' }),
  'Words for the kernel command line of machines with this tag, such as iommu=on quiet.',
);

const members = { errors: ['not_found'], policy: 'user', reach: 'gather', partial: true } as const;

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
    rebuild: post({
      op: 'rebuild',
      doc: 'Judge all machines by the definition of a tag again.\n\nEvery cell does it as soon as it hears of it; a tag without a definition stays as it is.',
      reply: Type.Object({ rebuilding: Type.String() }),
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    machines: get({ ...members, op: 'machines', doc: 'List the machines that have a tag.', reply: Type.Array(Machine) }),
    devices: get({ ...members, op: 'devices', doc: 'List the devices that have a tag.', reply: Type.Array(Device) }),
    rack_controllers: get({
      ...members,
      op: 'rack_controllers',
      doc: 'List the rack controllers that have a tag.',
      reply: Type.Array(RackController),
    }),
    region_controllers: get({
      ...members,
      op: 'region_controllers',
      doc: 'List the region controllers that have a tag.',
      reply: Type.Array(RackController),
    }),
    nodes: get({
      ...members,
      op: 'nodes',
      doc: 'List everything that has a tag: machines, devices and controllers.',
      reply: Type.Array(Node),
    }),
    update_nodes: post({
      op: 'update_nodes',
      doc: 'Put a tag on machines, devices and controllers, or take it off.',
      params: {
        add: optional(Type.Array(Type.String()), 'The system_id of a node that gets the tag; may be repeated.'),
        remove: optional(Type.Array(Type.String()), 'The system_id of a node that loses the tag; may be repeated.'),
        definition: optional(
          Type.String({ maxLength: longestDefinition }),
          'The definition that this was found out by: refused when the tag has another one meanwhile.',
        ),
        rack_controller: optional(Type.String({ maxLength: 64 }), 'Who found it out; it makes no difference.'),
      },
      reply: Type.Object({ added: Type.Integer(), removed: Type.Integer() }),
      errors: ['not_found', 'bad_request', 'wrong_state'],
      policy: 'admin',
      reach: 'split',
      strangers: 'ignored',
    }),
  }),
};
