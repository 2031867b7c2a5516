/** Selections: which systems, releases and architectures are wanted of a boot source. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Nothing } from './field.ts';

export const BootSourceSelection = Type.Object({
  id: Id,
  boot_source_id: Id,
  os: Type.String(),
  release: Type.String(),
  arches: Type.Array(Type.String()),
  subarches: Type.Array(Type.String()),
  labels: Type.Array(Type.String()),
  resource_uri: Type.String(),
});

const word = Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9][A-Za-z0-9._~+-]*$' });
const words = (doc: string) =>
  optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 255, pattern: '^(\\*|[A-Za-z0-9][A-Za-z0-9._~+-]*)$' }), { maxItems: 100 }),
    doc,
  );
const lists = {
  arches: words('Architectures, or * for all; may be repeated.'),
  subarches: words('Variants of them, or * for all; may be repeated.'),
  labels: words('Labels such as stable, or * for all; may be repeated.'),
};

export const bootSourceSelections = {
  ...resource('BootSourceSelections', 'boot-sources/{boot_source_id}/selections/', 'What is wanted of a boot source.', {
    read: get({
      doc: 'List the selections of a boot source.',
      reply: Type.Array(BootSourceSelection),
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    create: post({
      doc: 'Add a selection.',
      params: { os: required(word, 'The system, such as debian.'), release: required(word, 'The release, such as 12.'), ...lists },
      reply: BootSourceSelection,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('BootSourceSelection', 'boot-sources/{boot_source_id}/selections/{id}/', 'One selection of a boot source.', {
    read: get({ doc: 'Read a selection.', reply: BootSourceSelection, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a selection.',
      params: { os: optional(word, 'The system.'), release: optional(word, 'The release.'), ...lists },
      reply: BootSourceSelection,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a selection.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
