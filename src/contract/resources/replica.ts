/**
 * The hub's feed of global config, and joining it (architecture §7). A reply of the feed is sealed text: JSON signed with the hub's
 * Ed25519 key, judged whole before anything of it is applied. Nothing here takes state from a cell: what a caller says of itself is only
 * how far it is.
 */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { Instant, oneOf } from './field.ts';

/** `epoch.n`. */
const Revision = Type.String({ pattern: '^\\d{1,9}\\.\\d{1,15}$' });
const stream = required(oneOf('access', 'config'), 'access: users, keys, revocations. config: everything else.');
const version = optional(Type.String({ maxLength: 64 }), 'The program version of the caller; nobody is sent what the oldest cannot read.');

export const Membership = Type.Object({
  kind: oneOf('cell', 'front'),
  number: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  /** The hub's public key, SPKI in base64; the joiner checks it against the fingerprint that it was told. */
  hub_key: Type.String(),
  /** The hub's signature over the joiner's nonce and public key, in base64: it holds the key that it shows. */
  signature: Type.String(),
});

export const HubKey = Type.Object({
  /** SHA-256 of the hub's public key, 64 hexadecimal digits: what is compared when somebody joins. */
  fingerprint: Type.String(),
  /** The keys before it, newest first. Cells and fronts that know one of them follow by themselves. */
  former: Type.Array(Type.Object({ fingerprint: Type.String(), until: Instant })),
});

export const replica = {
  ...resource('HubKey', 'hub-key/', 'The key by which cells and fronts know the hub.', {
    read: get({ doc: "Read the fingerprint of the hub's key.", reply: HubKey, policy: 'user', reach: 'hub' }),
    rotate: post({
      op: 'rotate',
      doc: 'Give the hub a new key.\n\nCells and fronts follow by themselves, also those that are away now. Open sessions go on. Invitations that were not used yet must be made again, for they name the old fingerprint.',
      reply: HubKey,
      errors: ['conflict'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource(
    'ReplicaKeys',
    'keys/',
    "Changes of the hub's key.",
    {
      read: get({
        doc: "Read every change of the hub's key.\n\nOne line each, signed by the old and the new key, so that it proves itself: whoever trusts the old key may follow.",
        reply: Type.String(),
        type: 'text',
        policy: 'anonymous',
        reach: 'own',
      }),
    },
    'replica',
  ),
  ...resource(
    'ReplicaChanges',
    'changes/',
    'What has changed.',
    {
      read: get({
        doc: 'Wait for changes behind a revision.\n\nAsking says that everything up to that revision is applied. The reply is a sealed batch, empty when nothing happened in time.',
        params: {
          stream,
          after: required(Revision, 'The revision that the caller has applied, as epoch.n.'),
          mark: optional(
            Type.String({ maxLength: 64 }),
            'The word that came with that revision. It tells whether the hub still has the same history.',
          ),
          wait: optional(Type.Number({ minimum: 0, maximum: 60 }), 'How long to wait for a change, in seconds; 0 when left out.'),
          version,
        },
        reply: Type.String(),
        type: 'text',
        errors: ['unauthorized', 'starting', 'replica_ahead'],
        policy: 'cell',
        reach: 'own',
      }),
    },
    'replica',
  ),
  ...resource(
    'ReplicaSnapshot',
    'snapshot/',
    'Everything there is.',
    {
      read: get({
        doc: 'Fetch a whole stream.\n\nFor a cold start, or when the epoch of the hub has risen. The reply is a sealed batch.',
        params: { stream, version },
        reply: Type.String(),
        type: 'text',
        errors: ['unauthorized', 'starting'],
        policy: 'cell',
        reach: 'own',
      }),
    },
    'replica',
  ),
  ...resource(
    'ReplicaImage',
    'images/{sha256}/{name}',
    'A file of an image.',
    {
      read: get({
        doc: 'Fetch a file of the image catalogue by its digest; parts of it by Range.',
        reply: Type.Unknown(),
        type: 'binary',
        errors: ['not_found', 'unauthorized'],
        policy: 'cell',
        reach: 'own',
      }),
    },
    'replica',
  ),
  ...resource(
    'ReplicaJoin',
    'join/',
    'Joining the fleet.',
    {
      join: post({
        op: 'join',
        doc: 'Join with a token.\n\nThe token is the credential and is used up by it; the same key may repeat the call for as long as the token lives.',
        params: {
          token: required(Type.String({ minLength: 16, maxLength: 256 }), 'The token of the invitation.'),
          key: required(Type.String({ minLength: 40, maxLength: 256 }), 'The Ed25519 public key of the joiner: SPKI in base64.'),
          nonce: required(Type.String({ minLength: 32, maxLength: 128 }), 'Random text for the hub to sign.'),
          url: optional(Type.String({ maxLength: 2048 }), 'Where fronts reach the joiner.'),
          number: optional(Type.Integer({ minimum: 1, maximum: 13_823 }), 'The number that a standalone cell has drawn and wants to keep.'),
          name: optional(
            Type.String({ maxLength: 63 }),
            'The name that the joiner has; a token for another name is refused and stays good.',
          ),
          kind: optional(oneOf('cell', 'front'), 'What the joiner is; a token for the other kind is refused and stays good.'),
          version,
        },
        reply: Membership,
        errors: ['unauthorized', 'in_use', 'bad_request', 'retired'],
        policy: 'anonymous',
        reach: 'own',
      }),
    },
    'replica',
  ),
};
