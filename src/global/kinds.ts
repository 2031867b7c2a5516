/**
 * The kinds of global documents and the shape of each body. Shapes are open: fields that are not named here are kept and ignored, and a
 * kind that is not named here is stored and ignored, so that an older cell can follow a newer hub.
 */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { BootResourceWithSets } from '../contract/resources/boot-resources.ts';
import type { Stream } from './revision.ts';

const id = Type.Integer({ minimum: 0 });
const text = Type.String();

const BootResource = Type.Object({
  id,
  name: text,
  architecture: text,
  type: Type.Union([Type.Literal('Synced'), Type.Literal('Uploaded')]),
  title: Type.Optional(text),
  subarches: Type.Optional(text),
  kflavor: Type.Optional(text),
  base_image: Type.Optional(text),
  /** Of an imported one: the boot source that it came from. */
  boot_source: Type.Optional(id),
  sets: BootResourceWithSets.properties.sets,
});

const words = Type.Array(text);

/** What a script's first version did not have yet is optional: such documents stay readable. */
const Script = Type.Object({
  id,
  name: text,
  title: text,
  description: text,
  type: Type.Integer(),
  tags: words,
  script: text,
  hardware_type: Type.Optional(Type.Integer()),
  parallel: Type.Optional(Type.Integer()),
  /** Seconds; 0: no limit. */
  timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  destructive: Type.Optional(Type.Boolean()),
  for_hardware: Type.Optional(words),
  may_reboot: Type.Optional(Type.Boolean()),
  recommission: Type.Optional(Type.Boolean()),
  apply_configured_networking: Type.Optional(Type.Boolean()),
});

const BootSource = Type.Object({
  id,
  name: text,
  url: text,
  keyring_filename: text,
  /** Base64. */
  keyring_data: text,
  priority: Type.Integer(),
  enabled: Type.Boolean(),
  skip_keyring_verification: Type.Boolean(),
  created: text,
  updated: text,
});

const BootSourceSelection = Type.Object({ id, boot_source: id, os: text, release: text, arches: words, subarches: words, labels: words });

/** Documents from before there were routes for them have a name and a URL only. */
const PackageRepository = Type.Object({
  id,
  name: text,
  url: text,
  distributions: Type.Optional(words),
  disabled_pockets: Type.Optional(words),
  disabled_components: Type.Optional(words),
  components: Type.Optional(words),
  arches: Type.Optional(words),
  /** An armoured OpenPGP public key, or nothing. */
  key: Type.Optional(text),
  disable_sources: Type.Optional(Type.Boolean()),
  enabled: Type.Optional(Type.Boolean()),
});

const bodies = {
  user: Type.Object({
    id,
    username: text,
    email: text,
    is_superuser: Type.Boolean(),
    is_local: Type.Boolean(),
    /** Rises when the password changes or everything of the user is revoked; sessions and assertions of a lower one are refused. */
    generation: Type.Integer({ minimum: 1 }),
  }),
  /** Document id: the token key. */
  token: Type.Object({ user: id, consumer: text, hash: text, name: text }),
  sshkey: Type.Object({ id, user: id, key: text, keysource: Type.Union([text, Type.Null()]) }),
  /** Document id: the session that was signed out. */
  revocation: Type.Object({ user: id, until: Type.Integer() }),
  /** Document id: the setting's name. */
  setting: Type.Object({ value: Type.Unknown() }),
  /** `cell`: the name of the cell in which a front creates what is to be in this zone. */
  zone: Type.Object({ id, name: text, description: text, cell: Type.Optional(text) }),
  pool: Type.Object({ id, name: text, description: text }),
  /** `rebuilds`: how often it was asked to judge all machines by the definition again. */
  tag: Type.Object({
    id,
    name: text,
    definition: text,
    comment: text,
    kernel_opts: text,
    rebuilds: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  space: Type.Object({ id, name: text, description: text }),
  script: Script,
  /** One text that a script has had; the script's own document holds the one in force. */
  script_revision: Type.Object({ id, script: id, comment: text, created: text, text }),
  boot_resource: BootResource,
  boot_source: BootSource,
  /** Document id: `images`. There while images are to be imported; `since` tells one import from the next. */
  image_import: Type.Object({ since: text, by: text }),
  boot_source_selection: BootSourceSelection,
  package_repository: PackageRepository,
  sslkey: Type.Object({ id, user: id, key: text }),
  /** `user`: the one it is for; null: nobody in particular. */
  notification: Type.Object({
    id,
    ident: Type.Union([text, Type.Null()]),
    user: Type.Union([id, Type.Null()]),
    users: Type.Boolean(),
    admins: Type.Boolean(),
    message: text,
    context: Type.Record(text, Type.Unknown()),
    category: Type.Enum(['error', 'warning', 'success', 'info']),
    dismissable: Type.Boolean(),
  }),
  /** Document id: the notification's and the user's with a hyphen. */
  notification_dismissal: Type.Object({ notification: id, user: id }),
  /** Document id: system and release with a slash. */
  license_key: Type.Object({ osystem: text, distro_series: text, license_key: text }),
  /** Document id: the key by which anybody may read it. `content`: base64; `size`: its bytes. */
  file: Type.Object({ filename: text, user: id, content: text, size: Type.Integer({ minimum: 0 }) }),
  /** The client's secret is a row of the authority's and no part of it. */
  oidc_provider: Type.Object({
    id,
    name: text,
    issuer_url: text,
    client_id: text,
    enabled: Type.Boolean(),
    token_type: Type.Enum(['JWT', 'Opaque']),
    vendor: text,
    redirect_uri: text,
    scopes: text,
  }),
  /** Document id: the cell's number. `out`: an operator says that it is not there; `drained`: it gets nothing new. A retired cell is retired. */
  cell: Type.Object({
    number: Type.Integer({ minimum: 1 }),
    name: text,
    key: text,
    url: text,
    out: Type.Boolean(),
    drained: Type.Optional(Type.Boolean()),
  }),
  /** Document id: the front's number. */
  front: Type.Object({ number: Type.Integer({ minimum: 1 }), name: text, key: text, url: text }),
  /** Document id: `shape`. What the hub undoes for members of an older version (`hub/shape.ts`), in each stream; nobody else reads it. */
  emitted_access: Type.Object({ undone: Type.Array(text) }),
  emitted_config: Type.Object({ undone: Type.Array(text) }),
  /** Document id: the domain's name. */
  domain_name: Type.Object({ cell: Type.Integer({ minimum: 1 }) }),
} as const;

export type Kind = keyof typeof bodies;
export type BodyOf<K extends Kind> = Static<(typeof bodies)[K]>;

const accessKinds: ReadonlySet<string> = new Set<Kind>(['user', 'token', 'sshkey', 'sslkey', 'revocation', 'emitted_access']);

/** The stream in which documents of this kind travel; kinds that are not known are config. */
export function streamOf(kind: string): Stream {
  return accessKinds.has(kind) ? 'access' : 'config';
}

export const kinds = Object.keys(bodies) as Kind[];

const checks = new Map<string, { Check(value: unknown): boolean }>(kinds.map((kind) => [kind, Compile(bodies[kind])]));

/** Can this program read such a body? False for kinds it does not know and for bodies that miss what it needs. */
export function readable(kind: string, body: unknown): boolean {
  return checks.get(kind)?.Check(body) ?? false;
}

/** The name under which a document is looked up besides its id: user name, or `name`. */
export function nameOf(body: Readonly<Record<string, unknown>>): string | undefined {
  const name = body['username'] ?? body['name'];
  return typeof name === 'string' ? name : undefined;
}

/** Kinds of which the retired are forgotten in the end: nothing refers to them, and signing in retires a key each time. */
export const forgottenKinds = [
  'token',
  'sshkey',
  'sslkey',
  'notification',
  'notification_dismissal',
  'file',
] as const satisfies readonly Kind[];
