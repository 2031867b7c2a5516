/** SSL keys: certificates that machines of their owner are given with their metadata. */
import { Type } from 'typebox';
import { get, post, remove, required, resource } from '../route.ts';
import { Id, Nothing } from './field.ts';

export const SSLKey = Type.Object({ id: Id, key: Type.String(), resource_uri: Type.String() });

export const sslKeys = {
  ...resource('SSLKeys', 'account/prefs/sslkeys/', "The caller's SSL keys.", {
    read: get({ doc: 'List the SSL keys of the caller.', reply: Type.Array(SSLKey), policy: 'user', reach: 'hub' }),
    create: post({
      doc: "Add an SSL key.\n\nThe caller's machines get it with their metadata, as x509.",
      params: { key: required(Type.String({ minLength: 1, maxLength: 16_384 }), 'One X.509 certificate in PEM. No private key.') },
      reply: SSLKey,
      status: 201,
      errors: ['bad_request'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
  ...resource('SSLKey', 'account/prefs/sslkeys/{id}/', "One of the caller's SSL keys.", {
    read: get({ doc: 'Read an SSL key.', reply: SSLKey, errors: ['not_found', 'forbidden'], policy: 'user', reach: 'hub' }),
    delete: remove({
      doc: 'Delete an SSL key.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'forbidden'],
      policy: 'user',
      reach: 'hub',
    }),
  }),
};
