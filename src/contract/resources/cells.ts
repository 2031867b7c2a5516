/** The fleet's own parts: cells and fronts. The hub keeps the registry; a front adds what it sees of each cell at this moment. */
import { Type } from 'typebox';
import { get, optional, post, put, required, resource } from '../route.ts';
import { Instant, nullable, oneOf } from './field.ts';

/**
 * in: it should answer. drained: it answers everything, but gets no new machines and allocates none; what runs goes on. out: an operator says
 * that it is not there, so its silence is no surprise. retired: gone for good.
 */
const CellState = oneOf('in', 'drained', 'out', 'retired');

/** How busy the process of a cell that answered is, over the last 10 to 20 seconds. Of a cell of several processes, that one's. */
const Load = Type.Object({
  /** Share of one processor core that the process used; 1 is a full core, which is all that requests can get. */
  cpu: Type.Number({ minimum: 0 }),
  /** Milliseconds by which 99 of 100 timers were late at most: what every request of it waits at least. */
  delay: Type.Number({ minimum: 0 }),
  /** Operations that go on in the cell now: machines being commissioned, deployed, tested, erased. */
  operations: Type.Integer({ minimum: 0 }),
});

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
  /** null while it does not answer. */
  load: nullable(Load),
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
  /** retired: gone for good, nothing that it says of callers is believed any more. */
  state: oneOf('in', 'retired'),
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
const inviteParams = {
  name: required(name, 'The name it gets. Of one that has joined: the token lets the same one join again, with the number it has.'),
  replace: optional(
    Type.Boolean(),
    'Joining again, it may show another key, because its data folder is lost. The old key is refused from then on.',
  ),
};
const retired = optional(Type.Boolean(), 'Also those that were retired.');

export const cells = {
  ...resource('Cells', 'cells/', 'The cells that the fleet is cut into.', {
    read: get({
      doc: 'List all cells, with what is known of each at this moment.',
      params: { retired },
      reply: Type.Array(Cell),
      policy: 'user',
      reach: 'any',
    }),
    create: post({
      doc: 'Invite a cell.\n\nThe reply holds a token that lets one cell join, once. Numbers and names are never used for another.',
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
      doc: 'Drain a cell, mark it out, bring it back in, or retire it.\n\nAn operator who knows that a cell is not there marks it out; answers then flow without it. Only a cell that is drained or out can be retired, and that cannot be undone.',
      params: {
        state: optional(
          CellState,
          'in: it should answer. drained: it answers, and gets nothing new. out: it is known not to be there. retired: gone for good.',
        ),
        url: optional(Type.String({ maxLength: 2048 }), 'Where fronts reach it from now on.'),
      },
      reply: Cell,
      errors: ['not_found', 'wrong_state', 'retired', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Fronts', 'fronts/', 'The fronts, through which the whole fleet is reached.', {
    read: get({ doc: 'List all fronts.', params: { retired }, reply: Type.Array(Front), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Invite a front.\n\nThe reply holds a token that lets one front join, once.',
      params: inviteParams,
      reply: Invitation,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('Front', 'fronts/{name}/', 'One front.', {
    update: put({
      doc: 'Change the address of a front, or retire it.\n\nCells refuse what a retired front says of callers as soon as they have heard of it. It cannot be undone.',
      params: {
        state: optional(oneOf('in', 'retired'), 'retired: gone for good.'),
        url: optional(Type.String({ maxLength: 2048 }), 'Where people reach it from now on.'),
      },
      reply: Front,
      errors: ['not_found', 'retired', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
