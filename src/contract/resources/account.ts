/** One's own account: API keys, and signing in with a password to get one. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

/** A new API key; the secret is shown here and never again. Joined with colons the three make the key that clients ask for. */
export const NewToken = Type.Object({
  consumer_key: Type.String(),
  token_key: Type.String(),
  token_secret: Type.String(),
  name: Type.String(),
});

const tokenName = Type.String({ minLength: 1, maxLength: 255 });

export const account = {
  ...resource(
    'Authenticate',
    'authenticate/',
    'Signing in with a password.',
    {
      create: post({
        doc: 'Trade a name and a password for an API key.\n\nA second call with the same consumer replaces the key it got before.',
        params: {
          username: required(Type.String({ maxLength: 150 }), 'The name of the user.'),
          password: required(Type.String({ maxLength: 1024 }), 'The password.'),
          consumer: optional(tokenName, 'What the key is for, such as user@host; it becomes the name of the key.'),
        },
        reply: NewToken,
        errors: ['bad_login', 'too_many', 'hub_absent'],
        policy: 'anonymous',
        reach: 'hub',
      }),
    },
    'accounts',
  ),
  ...resource('Account', 'account/', "The caller's own account.", {
    create_authorisation_token: post({
      op: 'create_authorisation_token',
      doc: 'Create an API key.\n\nThe secret is in this reply and nowhere else: only a hash of it is kept.',
      params: { name: optional(tokenName, 'What the key is for.') },
      reply: NewToken,
      policy: 'user',
      reach: 'hub',
    }),
    delete_authorisation_token: post({
      op: 'delete_authorisation_token',
      doc: 'Revoke an API key.',
      params: { token_key: required(Type.String({ maxLength: 255 }), 'The middle part of the key.') },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
    list_authorisation_tokens: get({
      op: 'list_authorisation_tokens',
      doc: 'List the API keys of the caller.\n\nEach is shown as consumer:token: and 32 stars, since the secret is not kept.',
      reply: Type.Array(Type.Object({ name: Type.String(), token: Type.String() })),
      policy: 'user',
      reach: 'hub',
    }),
    update_token_name: post({
      op: 'update_token_name',
      doc: 'Rename an API key.',
      params: {
        token: required(Type.String({ maxLength: 255 }), 'The key, or its middle part.'),
        name: required(tokenName, 'The new name.'),
      },
      reply: Type.String(),
      status: 202,
      type: 'text',
      errors: ['not_found'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
