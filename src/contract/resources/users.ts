/** Users. They are global: the hub writes them down, everybody else has a replica. */
import { Type } from 'typebox';
import { get, optional, post, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

export const User = Type.Object({
  username: Type.String(),
  email: Type.String(),
  is_superuser: Type.Boolean(),
  is_local: Type.Boolean(),
  resource_uri: Type.String(),
});

export const users = {
  ...resource('Users', 'users/', 'The people and programs who may use the API.', {
    read: get({ doc: 'List all users.', reply: Type.Array(User), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Create a user.',
      params: {
        username: required(Type.String({ minLength: 1, maxLength: 150, pattern: '^[a-zA-Z0-9_.@+-]+$' }), 'The name to sign in with.'),
        email: required(Type.String({ maxLength: 254 }), 'The e-mail address.'),
        password: required(Type.String({ minLength: 8, maxLength: 1024 }), 'The password; only a verifier of it is kept.'),
        is_superuser: required(Type.Boolean(), 'Whether the user is an admin.'),
      },
      reply: User,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
    whoami: get({ op: 'whoami', doc: 'Who is asking?', reply: User, policy: 'user', reach: 'any' }),
  }),
  ...resource('User', 'users/{username}/', 'One user.', {
    read: get({ doc: 'Read a user.', reply: User, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    delete: remove({
      doc: 'Delete a user.\n\nAPI keys and SSH keys go too. Refused for oneself, and while the user owns machines that nobody is to take over.',
      params: { transfer_resources_to: optional(Type.String(), 'The user who takes over what this one owns.') },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['bad_request', 'in_use'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
