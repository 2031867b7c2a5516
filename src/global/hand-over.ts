/**
 * Handing global objects over to a hub: which of them it gets, and which it has already. By name, because the ids of two authorities have
 * nothing to do with each other. What the hub has is never changed by it. Pure: `reading` is the hub's memory, or a draft over it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Static } from 'typebox';
import type { HandedOver } from '../contract/resources/hand-over.ts';
import type { RouteReply } from '../contract/routes.ts';
import type { Reading } from './draft.ts';
import { nameOf, readable, streamOf, type BodyOf, type Kind } from './kinds.ts';
import type { Stream } from './revision.ts';

export type HandedDocument = Static<typeof HandedOver>['documents'][number];
export type HandOverItem = RouteReply<'GlobalObjects.plan'>[number];
type HandedKind = HandedDocument['kind'];

/** What becomes of one document, and the body with which it would be created. */
export interface Decision {
  readonly item: HandOverItem;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Named {
  readonly id: number;
}

/** What says nothing of the thing itself. */
const ownMarks: ReadonlySet<string> = new Set(['id', 'revision', 'created', 'updated', 'generation', 'cell']);

function contentOf(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([key, value]) => !ownMarks.has(key) && value !== undefined));
}

const hubStays: Readonly<Partial<Record<HandedKind, string>>> = {
  zone: 'The hub has another of that name; the machines in it are in that one from then on.',
  pool: 'The hub has another of that name; the machines in it are in that one from then on.',
  tag: 'The hub has another of that name; the machines that have it have that one from then on.',
  space: 'The hub has another of that name; the VLANs in it are in that one from then on.',
  script: "The hub has another of that name, which runs from then on. The cell's is lost.",
  package_repository: "The hub has another of that name. The cell's is lost.",
  setting: "The hub has another value, which holds for the whole fleet. The cell's is lost.",
};

function created(kind: HandedKind, body: Readonly<Record<string, unknown>>): string {
  if (kind === 'setting') return `It becomes ${JSON.stringify(body['value'])} for the whole fleet.`;
  if (kind === 'user')
    return body['is_superuser'] === true ? 'As an administrator of the whole fleet, with the same password.' : 'With the same password.';
  return kind === 'token' ? 'The key is good in the whole fleet.' : '';
}

/** One document and the hub's of that name. `owner`: what became of the user that a key belongs to. */
function decide(reading: Reading, document: HandedDocument, owner: HandOverItem | undefined): Decision {
  const { kind, id, body } = document;
  const name = labelOf(document, owner);
  const item = (outcome: HandOverItem['outcome'], detail: string, to: string | null): HandOverItem => ({
    kind,
    id,
    name,
    outcome,
    detail,
    to,
  });
  if (!readable(kind, body)) return { body, item: item('left', 'This hub cannot read it: it is of another version.', null) };
  if (kind === 'user') return decideUser(reading, body as BodyOf<'user'>, item);
  if (kind === 'token' || kind === 'sshkey' || kind === 'sslkey') return decideKey(reading, document, owner, item);
  const known = kind === 'setting' ? reading.get('setting', id) : reading.named(kind, String(nameOf(body)));
  if (!known) return { body, item: item('create', created(kind, body), kind === 'setting' ? id : null) };
  const at = kind === 'setting' ? id : String((known as Named).id);
  const same = isDeepStrictEqual(contentOf(known), contentOf(body));
  return { body, item: same ? item('same', '', at) : item('conflict', hubStays[kind] ?? '', at) };
}

type MakeItem = (outcome: HandOverItem['outcome'], detail: string, to: string | null) => HandOverItem;

function decideUser(reading: Reading, user: BodyOf<'user'>, item: MakeItem): Decision {
  const known = reading.named('user', user.username);
  if (known?.is_superuser === user.is_superuser)
    return {
      body: user,
      item: item('same', 'The same person: the password is the one at the hub, keys are added to those there.', String(known.id)),
    };
  if (known) {
    const rights = known.is_superuser
      ? 'The hub has an administrator of that name'
      : 'The hub has a user of that name who is no administrator';
    return {
      body: user,
      item: item('conflict', `${rights}: that account stays and has this one's machines; the keys of this one are left.`, String(known.id)),
    };
  }
  const taken = user.email !== '' && reading.list('user').some((one) => one.email === user.email);
  const note = taken ? ` Without the address ${user.email}, which somebody else has.` : '';
  return { body: taken ? { ...user, email: '' } : user, item: item('create', created('user', user) + note, null) };
}

function decideKey(reading: Reading, { kind, id, body }: HandedDocument, owner: HandOverItem | undefined, item: MakeItem): Decision {
  if (!owner || owner.outcome === 'conflict' || owner.outcome === 'left')
    return { body, item: item('left', 'Its user is another at the hub.', null) };
  const moved = { ...body, user: Number(owner.to) };
  if (kind === 'token') {
    if (reading.isRetired('token', id)) return { body, item: item('left', 'It was revoked at the hub.', null) };
    const known = reading.get('token', id);
    if (!known) return { body: moved, item: item('create', created('token', body), id) };
    const same = known.hash === body['hash'] && String(known.user) === owner.to;
    return { body: moved, item: same ? item('same', '', id) : item('left', 'The hub has another key of that name.', null) };
  }
  const known =
    owner.to === null
      ? undefined
      : reading.list(kind as 'sshkey' | 'sslkey').find((one) => String(one.user) === owner.to && one.key === body['key']);
  return { body: moved, item: known ? item('same', '', String(known.id)) : item('create', '', null) };
}

/** As a person knows it; secrets are in none of it. */
function labelOf({ kind, id, body }: HandedDocument, owner: HandOverItem | undefined): string {
  if (kind === 'setting') return id;
  if (kind === 'token') return `${owner?.name ?? 'nobody'}: ${String(body['name'] ?? '') || id}`;
  if (kind === 'sslkey') return `${owner?.name ?? 'nobody'}: SSL key ${id}`;
  if (kind === 'sshkey')
    return `${owner?.name ?? 'nobody'}: ${
      String(body['key'] ?? '')
        .split(' ')
        .at(-1) ?? ''
    }`.slice(0, 80);
  return nameOf(body) ?? id;
}

/** The plan of everything, in the order given; users come before their keys. */
export function planHandOver(reading: Reading, documents: readonly HandedDocument[]): HandOverItem[] {
  const users = new Map<string, HandOverItem>();
  return documents.map((document) => {
    const { item } = decide(reading, document, ownerIn(users, document));
    if (item.kind === 'user') users.set(item.id, item);
    return item;
  });
}

function ownerIn(users: ReadonlyMap<string, HandOverItem>, { body }: HandedDocument): HandOverItem | undefined {
  return users.get(String(body['user']));
}

export interface HandOverDraft extends Reading {
  put<K extends Kind>(kind: K, id: string | number, body: BodyOf<K>): void;
  drawId(): Promise<number>;
}

/**
 * Stage one stream's part of it. `onUser`: a user was created under this id. @returns what became of each, with ids.
 * May be repeated: what was created is then the same.
 */
export async function stageHandOver(
  draft: HandOverDraft,
  stream: Stream,
  documents: readonly HandedDocument[],
  onUser: (id: number, document: HandedDocument) => Promise<void>,
): Promise<HandOverItem[]> {
  const users = new Map<string, HandOverItem>();
  const items: HandOverItem[] = [];
  for (const document of documents.filter(({ kind }) => streamOf(kind) === stream)) {
    const { item, body } = decide(draft, document, ownerIn(users, document));
    const done = item.outcome === 'create' ? { ...item, to: await create(draft, document, body, onUser) } : item;
    if (done.kind === 'user') users.set(done.id, done);
    items.push(done);
  }
  return items;
}

async function create(
  draft: HandOverDraft,
  document: HandedDocument,
  body: Readonly<Record<string, unknown>>,
  onUser: (id: number, document: HandedDocument) => Promise<void>,
): Promise<string> {
  const { kind, id } = document;
  // `decide` has found the body readable, by the very schema that BodyOf is derived from.
  if (kind === 'setting' || kind === 'token') {
    draft.put(kind, id, body as never);
    return id;
  }
  // The text of a script is its own first revision here.
  const { revision: _, ...rest } = body;
  const to = await draft.drawId();
  draft.put(kind, to, { ...rest, id: to } as never);
  if (kind === 'user') await onUser(to, document);
  return String(to);
}
