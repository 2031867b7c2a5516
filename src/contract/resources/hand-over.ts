/**
 * What a cell that stood alone hands over to the hub that it joins: its users with their keys, and its settings and names. An admin of the
 * hub sends it with `muster cell join --adopt`; nothing here is a cell's own state.
 */
import { Type } from 'typebox';
import { post, resource } from '../route.ts';
import { oneOf } from './field.ts';

/** In the order in which they are handed over: what others name comes first. */
export const handedKinds = [
  'zone',
  'pool',
  'tag',
  'space',
  'script',
  'package_repository',
  'setting',
  'user',
  'token',
  'sshkey',
  'sslkey',
] as const;

/** The body of both operations, as JSON. */
export const HandedOver = Type.Object({
  /** The cell that hands over, for the hub's log. */
  cell: Type.String({ minLength: 1, maxLength: 63 }),
  documents: Type.Array(
    Type.Object({
      kind: oneOf(...handedKinds),
      id: Type.String({ minLength: 1, maxLength: 256 }),
      body: Type.Record(Type.String(), Type.Unknown()),
      /** Of a user: what the password is checked against. */
      verifier: Type.Optional(Type.String({ maxLength: 256 })),
    }),
    { maxItems: 100_000 },
  ),
});

/** What becomes of one thing. */
const HandOverItem = Type.Object({
  kind: oneOf(...handedKinds),
  /** Its id at the cell. */
  id: Type.String(),
  /** As a person knows it. */
  name: Type.String(),
  /** create: the hub gets it. same: the hub has it. conflict: the hub has another of that name, which takes its place. left: it is not handed over. */
  outcome: oneOf('create', 'same', 'conflict', 'left'),
  /** Why, and what that means. */
  detail: Type.String(),
  /** Its id at the hub; null where there is none, or not yet. */
  to: Type.Union([Type.String(), Type.Null()]),
});

/** Everything that was handed over, as the hub has it now. */
const GlobalDocument = Type.Object({
  kind: oneOf(...handedKinds),
  id: Type.String(),
  body: Type.Record(Type.String(), Type.Unknown()),
});

export const handOver = {
  ...resource('GlobalObjects', 'global-objects/', 'What a cell that stood alone hands over to the hub that it joins.', {
    plan: post({
      op: 'plan',
      doc: 'Show what a hand-over would change.\n\nThe body is JSON: cell, and documents with kind, id and body. Nothing is changed.',
      raw: true,
      reply: Type.Array(HandOverItem),
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'own',
    }),
    import: post({
      op: 'import',
      doc: "Take over what a cell had while it stood alone.\n\nThe same body as for the plan. What the hub has by the same name stays as it is there; ids are the hub's. The same again changes nothing.",
      raw: true,
      reply: Type.Object({ items: Type.Array(HandOverItem), documents: Type.Array(GlobalDocument) }),
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'own',
    }),
  }),
};
