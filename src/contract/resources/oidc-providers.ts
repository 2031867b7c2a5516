/** OpenID Connect providers. They are kept and checked; signing in through one is not built. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Name, Nothing, oneOf } from './field.ts';

const tokenTypes = ['JWT', 'Opaque'] as const;

/** Without the client's secret, which is never shown. */
export const OidcProvider = Type.Object({
  id: Id,
  name: Type.String(),
  issuer_url: Type.String(),
  client_id: Type.String(),
  enabled: Type.Boolean(),
  token_type: oneOf(...tokenTypes),
  vendor: Type.String(),
  redirect_uri: Type.String(),
  scopes: Type.String(),
  resource_uri: Type.String(),
});

const Url = Type.String({ minLength: 8, maxLength: 2048, pattern: '^https?://[^\\s/?#@]+(/[^\\s?#]*)?$' });
const Word = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-zA-Z0-9][a-zA-Z0-9_. -]*$' });
const Printable = Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' });

const given = {
  name: [Name, 'What people call it; no two have the same name.'],
  issuer_url: [Url, 'The issuer: https, or http towards this machine. Its discovery document is fetched and must name it.'],
  client_id: [Printable, 'What the provider knows this fleet by.'],
  client_secret: [Printable, 'The secret that belongs to it. It stays at the hub and is never shown.'],
  enabled: [Type.Boolean(), 'Whether it is the one in force. At most one is.'],
  token_type: [oneOf(...tokenTypes), 'What its access tokens are.'],
  vendor: [Word, 'Whose product it is.'],
  redirect_uri: [Url, 'Where browsers come back to.'],
  scopes: [
    Type.String({ minLength: 6, maxLength: 1024, pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$' }),
    'What is asked for, separated by spaces; openid is among it.',
  ],
} as const;

export const oidcProviders = {
  ...resource('OidcProviders', 'oidc-providers/', 'OpenID Connect providers.', {
    read: get({ doc: 'List all providers.', reply: Type.Array(OidcProvider), policy: 'admin', reach: 'hub' }),
    create: post({
      doc: 'Add a provider.\n\nIt is asked for its discovery document first.',
      params: {
        name: required(...given.name),
        issuer_url: required(...given.issuer_url),
        client_id: required(...given.client_id),
        client_secret: required(...given.client_secret),
        enabled: required(...given.enabled),
        token_type: required(...given.token_type),
        vendor: required(...given.vendor),
        redirect_uri: required(...given.redirect_uri),
        scopes: required(...given.scopes),
      },
      reply: OidcProvider,
      status: 201,
      errors: ['bad_request', 'wrong_state', 'issuer_unreachable'],
      policy: 'admin',
      reach: 'hub',
    }),
    get_active: get({
      op: 'get_active',
      doc: 'Read the provider that is in force.',
      reply: OidcProvider,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('OidcProvider', 'oidc-providers/{id}/', 'One OpenID Connect provider.', {
    read: get({ doc: 'Read a provider.', reply: OidcProvider, errors: ['not_found'], policy: 'admin', reach: 'hub' }),
    update: put({
      doc: 'Change a provider.\n\nIt is asked for its discovery document when the issuer is another, or when it comes into force.',
      params: {
        name: optional(...given.name),
        issuer_url: optional(...given.issuer_url),
        client_id: optional(...given.client_id),
        client_secret: optional(...given.client_secret),
        enabled: optional(...given.enabled),
        token_type: optional(...given.token_type),
        vendor: optional(...given.vendor),
        redirect_uri: optional(...given.redirect_uri),
        scopes: optional(...given.scopes),
      },
      reply: OidcProvider,
      errors: ['bad_request', 'not_found', 'wrong_state', 'issuer_unreachable'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Delete a provider that is not in force.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'wrong_state'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
