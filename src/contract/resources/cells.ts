/** The fleet's own parts: cells and fronts. The hub keeps the registry; a front adds what it sees of each cell at this moment. */
import { Type } from 'typebox';
import { get, optional, post, put, required, resource } from '../route.ts';
import { Instant, nullable, oneOf } from './field.ts';

/** in: it should answer. out: an operator says that it is not there, so its silence is no surprise. retired: gone for good. */
const CellState = oneOf('in', 'out', 'retired');

export const Cell = Type.Object({
  number: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  /** Where a front reaches it. */
  url: Type.String(),
  state: CellState,
  /** Did it answer just now? null where nobody asked it. */
  answering: nullable(Type.Boolean()),
  /** Its program version; empty while it does not answer. */
  version: Type.String(),
  /** The revision of global settings it has applied, `epoch.n` of each stream; null while it does not answer. */
  revision: nullable(Type.Object({ access: Type.String(), config: Type.String() })),
  /** Seconds since it last heard of the hub; null while it does not answer, and for a standalone cell. */
  lag: nullable(Type.Number()),
  /** State name → machines; null while it does not answer. */
  machines: nullable(Type.Record(Type.String(), Type.Integer())),
  /** Open findings by severity; null while it does not answer. */
  findings: nullable(Type.Record(Type.String(), Type.Integer())),
  resource_uri: Type.String(),
});

export const Front = Type.Object({
  number: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  url: Type.String(),
  version: Type.String(),
  revision: nullable(Type.Object({ access: Type.String(), config: Type.String() })),
  /** When it last asked the hub for changes. */
  seen: nullable(Instant),
  resource_uri: Type.String(),
});

/** What a new cell or front needs to join, once: `muster cell join URL TOKEN FINGERPRINT`. */
export const Invitation = Type.Object({
  name: Type.String(),
  number: Type.Integer({ minimum: 1 }),
  token: Type.String(),
  /** SHA-256 of the hub's public key, in hexadecimal. */
  fingerprint: Type.String(),
  expires: Instant,
});

const name = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' });
const inviteParams = { name: required(name, 'The name it gets.') };

export const cells = {
  ...resource('Cells', 'cells/', 'The cells that the fleet is cut into.', {
    read: get({ doc: 'List all cells, with what is known of each at this moment.', reply: Type.Array(Cell), policy: 'user', reach: 'any' }),
    create: post({
      doc: 'Invite a cell.\n\nThe reply holds a token that lets one cell join, once.',
      params: inviteParams,
      reply: Invitation,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Cell', 'cells/{name}/', 'One cell.', {
    read: get({ doc: 'Read a cell.', reply: Cell, errors: ['not_found'], policy: 'user', reach: 'any' }),
    update: put({
      doc: 'Say whether a cell is in or out.\n\nAn operator who knows that a cell is not there marks it out; answers then flow without it.',
      params: {
        state: optional(oneOf('in', 'out'), 'in: it should answer; out: it is known not to be there.'),
        url: optional(Type.String({ maxLength: 2048 }), 'Where fronts reach it from now on.'),
      },
      reply: Cell,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Fronts', 'fronts/', 'The fronts, through which the whole fleet is reached.', {
    read: get({ doc: 'List all fronts.', reply: Type.Array(Front), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Invite a front.\n\nThe reply holds a token that lets one front join, once.',
      params: inviteParams,
      reply: Invitation,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
