/** SSH keys: deployed machines and rescue mode let their owner in with them. */
import { Type } from 'typebox';
import { get, post, remove, required, resource } from '../route.ts';
import { Id, Nothing, nullable } from './field.ts';

export const SSHKey = Type.Object({
  id: Id,
  key: Type.String(),
  /** Where it was imported from; null for a key that was given. */
  keysource: nullable(Type.String()),
  resource_uri: Type.String(),
});

export const sshKeys = {
  ...resource('SSHKeys', 'account/prefs/sshkeys/', "The caller's SSH keys.", {
    read: get({ doc: 'List the SSH keys of the caller.', reply: Type.Array(SSHKey), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Add an SSH key.',
      params: { key: required(Type.String({ minLength: 1, maxLength: 16_384 }), 'The public key: one line as in authorized_keys.') },
      reply: SSHKey,
      status: 201,
      errors: ['bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
    import: post({
      op: 'import',
      doc: "Add the SSH keys that somebody has at Launchpad or GitHub.\n\nThe reply is the caller's keys from there: at most 100. What was added before stays as it is; keys that are not there any more stay, too.",
      params: {
        keysource: required(Type.String({ minLength: 1, maxLength: 100 }), 'Where and whose: lp:USER for Launchpad, gh:USER for GitHub.'),
      },
      reply: Type.Array(SSHKey),
      errors: ['bad_request', 'keys_unreachable'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
  ...resource('SSHKey', 'account/prefs/sshkeys/{id}/', "One of the caller's SSH keys.", {
    read: get({ doc: 'Read an SSH key.', reply: SSHKey, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    delete: remove({
      doc: 'Delete an SSH key.\n\nMachines that are already deployed keep it.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'forbidden'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
