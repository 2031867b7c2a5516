/** Users. They are global: the hub writes them down, everybody else has a replica. */
import { Type } from 'typebox';
import { get, optional, post, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

/** What a user has in the cells that were asked. */
const UserResources = Type.Object({
  machines: Type.Integer(),
  devices: Type.Integer(),
  ip_ranges: Type.Integer(),
  ip_addresses: Type.Integer(),
});

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
      doc: 'Delete a user.\n\nAPI keys, SSH keys, SSL keys and files go too. Refused for oneself, and while the user owns machines, devices, addresses or ranges of them that nobody is to take over. Calling it again goes on where it broke off.',
      params: {
        transfer_resources_to: optional(Type.String({ minLength: 1, maxLength: 150 }), 'The user who takes over what this one owns.'),
      },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['bad_request', 'in_use', 'not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    resources: get({
      op: 'resources',
      doc: 'Count what a user has: machines, devices, addresses and ranges of addresses.',
      reply: UserResources,
      policy: 'admin',
      reach: 'gather',
    }),
    transfer_resources: post({
      op: 'transfer_resources',
      doc: 'Give everything that a user has to another.\n\nDone again, it finds nothing left to do.',
      params: { to: required(Type.String({ minLength: 1, maxLength: 150 }), 'The user who takes it over.') },
      reply: UserResources,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'gather',
    }),
  }),
};
