/** Package repositories: where deployed systems may get packages from. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Id, Name, Nothing, oneOf } from './field.ts';

export const PackageRepository = Type.Object({
  id: Id,
  name: Type.String(),
  url: Type.String(),
  distributions: Type.Array(Type.String()),
  disabled_pockets: Type.Array(Type.String()),
  disabled_components: Type.Array(Type.String()),
  components: Type.Array(Type.String()),
  arches: Type.Array(Type.String()),
  key: Type.String(),
  disable_sources: Type.Boolean(),
  enabled: Type.Boolean(),
  resource_uri: Type.String(),
});

const Url = Type.String({
  minLength: 5,
  maxLength: 2048,
  pattern: '^((https?|ftp)://[^\\s/?#@]+(/[^\\s#]*)?|ppa:[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*)$',
});
const urlDoc = 'Where it is: http://, https://, ftp:// or ppa:.';
const words = (doc: string) =>
  optional(Type.Array(Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9][A-Za-z0-9._/+-]*$' }), { maxItems: 100 }), doc);
const pockets = optional(Type.Array(oneOf('updates', 'security', 'backports'), { maxItems: 3 }), 'Pockets to leave out; may be repeated.');
const arches = optional(
  Type.Array(oneOf('amd64', 'arm64', 'armhf', 'i386', 'ppc64el', 'riscv64', 's390x'), { maxItems: 7 }),
  'Architectures that it has; may be repeated. Left out: amd64 and i386.',
);
const key = optional(
  Type.String({
    maxLength: 65_536,
    pattern: '^(-----BEGIN PGP PUBLIC KEY BLOCK-----[\\x20-\\x7e\\r\\n]*-----END PGP PUBLIC KEY BLOCK-----\\s*)?$',
  }),
  'The armoured OpenPGP key that it is signed with.',
);
const settings = {
  distributions: words('Suites, such as bookworm; may be repeated.'),
  disabled_pockets: pockets,
  components: words('Components, such as main; may be repeated.'),
  arches,
  key,
  disable_sources: optional(Type.Boolean(), 'Whether to leave out its source packages.'),
  enabled: optional(Type.Boolean(), 'Whether machines get it.'),
};

export const packageRepositories = {
  ...resource('PackageRepositories', 'package-repositories/', 'Where deployed systems may get packages from.', {
    read: get({ doc: 'List all package repositories.', reply: Type.Array(PackageRepository), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Add a package repository.',
      params: { name: required(Name, 'What people call it.'), url: required(Url, urlDoc), ...settings },
      reply: PackageRepository,
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('PackageRepository', 'package-repositories/{id}/', 'One package repository.', {
    read: get({ doc: 'Read a package repository.', reply: PackageRepository, errors: ['not_found'], policy: 'user', reach: 'hub' }),
    update: put({
      doc: 'Change a package repository.',
      params: {
        name: optional(Name, 'The new name.'),
        url: optional(Url, urlDoc),
        ...settings,
        disabled_components: words('Components to leave out; may be repeated.'),
      },
      reply: PackageRepository,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Retire a package repository.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
