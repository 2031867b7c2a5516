/** Physical zones: where machines stand, a global row. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';

export const Zone = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  description: Type.String(),
  /** The cell in which a front creates what is to be in this zone; left out where there is none. */
  cell: Type.Optional(Type.String()),
  resource_uri: Type.String(),
});

const name = Type.String({ minLength: 1, maxLength: 256, pattern: '^[a-zA-Z0-9]([-a-zA-Z0-9 ]*[a-zA-Z0-9])?$' });
const description = Type.String({ maxLength: 4096 });
const cell = Type.String({ maxLength: 63 });

export const zones = {
  ...resource('Zones', 'zones/', 'Physical zones group machines by where they stand and what fails together.', {
    read: get({ doc: 'List all zones.', reply: Type.Array(Zone), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Create a zone.',
      params: {
        name: required(name, 'The name of the new zone.'),
        description: optional(description, 'What the zone is.'),
        cell: optional(cell, 'The cell in which a front creates machines that are to be in this zone.'),
      },
      reply: Zone,
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Zone', 'zones/{name}/', 'One physical zone.', {
    read: get({ doc: 'Read a zone.', reply: Zone, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a zone.',
      params: {
        name: optional(name, 'The new name.'),
        description: optional(description, 'The new description.'),
        cell: optional(cell, 'The cell in which a front creates machines that are to be in this zone; empty for none.'),
      },
      reply: Zone,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a zone.\n\nMachines in it are in the default zone from then on. The default zone itself stays.',
      reply: Type.Null(),
      status: 204,
      type: 'none',
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
