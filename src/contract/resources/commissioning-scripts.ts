/** Commissioning scripts under their older name: the same scripts as `scripts/`, by name and text alone. */
import { Type } from 'typebox';
import { get, post, put, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';
import { longestScript } from './script-writes.ts';

const content = required(
  Type.String({ minLength: 1, maxLength: longestScript }),
  'The script itself, which begins with #!, sent as a value or as a file.',
);

/** What creating one answers. */
export const CommissioningScript = Type.Object({
  name: Type.String(),
  /** Base64. */
  content: Type.String(),
  deprecated: Type.Boolean(),
  resource_uri: Type.String(),
});

export const commissioningScripts = {
  ...resource('CommissioningScripts', 'commissioning-scripts/', 'Commissioning scripts, under their older name.', {
    read: get({ doc: 'List the names of all commissioning scripts.', reply: Type.Array(Type.String()), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Create a commissioning script.',
      params: {
        name: required(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9_.-]+$' }), 'The name; it cannot be changed.'),
        content,
      },
      reply: CommissioningScript,
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('CommissioningScript', 'commissioning-scripts/{name}', 'One commissioning script, under its older name.', {
    read: get({
      doc: 'Fetch the text of a commissioning script.',
      reply: Type.Unknown(),
      type: 'binary',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    update: put({
      doc: 'Give a commissioning script another text.',
      params: { content },
      reply: Type.String(),
      type: 'text',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a commissioning script.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
