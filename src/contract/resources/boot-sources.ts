/** Boot sources: where images may be imported from, and what is wanted of each. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource, type Params } from '../route.ts';
import { Id, Nothing } from './field.ts';

export const BootSource = Type.Object({
  id: Id,
  name: Type.String(),
  url: Type.String(),
  keyring_filename: Type.String(),
  /** Base64. */
  keyring_data: Type.String(),
  priority: Type.Integer(),
  enabled: Type.Boolean(),
  skip_keyring_verification: Type.Boolean(),
  created: Type.String(),
  updated: Type.String(),
  resource_uri: Type.String(),
});

/** A URL of http or https without a user or a fragment in it. */
export const WebUrl = Type.String({ minLength: 8, maxLength: 2048, pattern: '^https?://[^\\s/?#@]+(/[^\\s#]*)?$' });

const url = 'Where its simplestreams are: http:// or https://.';
const settings = {
  name: optional(Type.String({ maxLength: 255 }), 'What people call it; its URL when left out.'),
  keyring_filename: optional(Type.String({ maxLength: 4096 }), 'The file of the keyring that its index is signed with.'),
  keyring_data: optional(Type.String({ maxLength: 131_072 }), 'That keyring itself: an armoured key, or the file in base64.'),
  priority: optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }), 'The higher one counts where two have the same image.'),
  enabled: optional(Type.Boolean(), 'Whether anything is imported from it.'),
  skip_keyring_verification: optional(Type.Boolean(), 'Whether an unsigned index is good enough.'),
} satisfies Params;

export const bootSources = {
  ...resource('BootSources', 'boot-sources/', 'Where images may be imported from.', {
    read: get({ doc: 'List all boot sources.', reply: Type.Array(BootSource), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Add a boot source.',
      params: { url: required(WebUrl, url), ...settings },
      reply: BootSource,
      status: 201,
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('BootSource', 'boot-sources/{id}/', 'One boot source.', {
    read: get({ doc: 'Read a boot source.', reply: BootSource, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a boot source.',
      params: { url: optional(WebUrl, url), ...settings },
      reply: BootSource,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a boot source.\n\nIts selections go with it; images that came from it stay.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
