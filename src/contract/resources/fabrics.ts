/** Fabrics: sets of switches that carry the same VLANs. A fabric belongs to one cell. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, resource } from '../route.ts';
import { Description, Id, Name, Nothing, nullable } from './field.ts';
import { Vlan } from './vlans.ts';

export const Fabric = Type.Object({
  id: Id,
  name: Type.String(),
  class_type: nullable(Type.String()),
  vlans: Type.Array(Vlan),
  resource_uri: Type.String(),
});

const classType = Type.String({ maxLength: 255 });

export const fabrics = {
  ...resource('Fabrics', 'fabrics/', 'Fabrics: switches that are wired together and carry the same VLANs.', {
    read: get({ doc: 'List all fabrics with their VLANs.', reply: Type.Array(Fabric), policy: 'user', reach: 'gather', partial: true }),
    create: post({
      doc: 'Create a fabric in one cell.\n\nIts untagged VLAN is made with it.',
      params: {
        name: optional(Name, 'Its name; left out, it is called after its number.'),
        description: optional(Description, 'What it is.'),
        class_type: optional(classType, 'A word for the kind of fabric, such as 10g or storage.'),
        cell: optional(Type.String(), 'The cell that gets the fabric; needed at a front when there is more than one.'),
      },
      reply: Fabric,
      errors: ['unplaced'],
      policy: 'admin',
      reach: 'place',
    }),
  }),
  ...resource('Fabric', 'fabrics/{id}/', 'One fabric.', {
    read: get({ doc: 'Read a fabric.', reply: Fabric, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change a fabric.',
      params: {
        name: optional(Name, 'The new name.'),
        description: optional(Description, 'The new description.'),
        class_type: optional(classType, 'The new word for its kind.'),
      },
      reply: Fabric,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Delete a fabric and its VLANs.\n\nRefused while a subnet or an interface is on one of them.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'in_use'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
