/** Joining, and joining again: a one-time token against a place in the registry. Nothing of what the joiner holds comes along. */
import { Failure, fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { commit, type GlobalAuthority } from '../../global/api/context.ts';
import { hashSecret } from '../../global/api-key.ts';
import type { Draft } from '../../global/draft.ts';
import { joinProof } from '../../global/join.ts';
import { keyTextFromSpki, spkiOf, type SigningKey } from '../../global/signing-key.ts';
import { keepNumber, nameOfNumber } from '../db/given-number-store.ts';
import type { HubDb, Role } from '../db/hub-tables.ts';
import { asHub, isInvitation, lockInvitation, spendInvitation, type JoinToken } from '../db/join-token-store.ts';
import { memberName } from '../invitation.ts';

interface Joiner {
  readonly key: string;
  readonly url: string | undefined;
  readonly number: number | undefined;
  readonly kind: Role | undefined;
  readonly name: string | undefined;
}

interface Joined {
  readonly role: Role;
  readonly name: string;
  readonly number: number;
}

function refuse(reason: string): Failure {
  return fail('bad_request', { reason });
}

function otherKey(role: Role, name: string): Failure {
  return refuse(
    `${memberName(role, name)} has joined with another key than this folder's. If its data folder is lost, invite it with --replace; the old key is refused from then on.`,
  );
}

function badToken(): Failure {
  return new Failure(
    'unauthorized',
    'This token is not good here: it is unknown, older than a day, or was used by somebody else. Ask for another: muster hub cell add NAME.',
  );
}

/** The first time: the number is the invitation's, or the one that a standalone cell brings, if nobody else was ever given it. */
async function admit(draft: Draft, { role, name, number: drawn }: JoinToken, joiner: Joiner): Promise<Joined> {
  const number = role === 'cell' ? (joiner.number ?? drawn) : drawn;
  const other = draft.named(role, name);
  if (other) throw fail('in_use', { what: `The name ${name}`, by: `another ${role}` });
  const owner = draft.get(role, number)?.name ?? (await nameOfNumber(asHub(draft.db), role, number));
  const retired = draft.isRetired(role, number);
  if (owner !== undefined && (retired || owner !== name))
    throw fail('in_use', { what: `Number ${number}`, by: `it was given to ${role} ${owner}${retired ? ', which was retired' : ''}` });
  const row = { number, name, key: joiner.key, url: joiner.url ?? '' };
  if (role === 'cell') draft.put('cell', number, { ...row, out: false });
  else draft.put('front', number, row);
  await keepNumber(asHub(draft.db), role, number, name, draft.epoch);
  return { role, name, number };
}

/** Again: the same number, the same key unless the invitation says otherwise, and perhaps another address. */
function readmit(draft: Draft, { role, name, replaceKey }: JoinToken, joiner: Joiner): Joined {
  const member = draft.named(role, name);
  if (!member) throw fail('retired', { what: memberName(role, name) });
  const { number } = member;
  if (role === 'cell' && joiner.number !== undefined && joiner.number !== number)
    throw refuse(`${memberName(role, name)} has number ${number}; this one has number ${joiner.number}, so it is another.`);
  if (member.key !== joiner.key && !replaceKey) throw otherKey(role, name);
  const changed = { ...member, key: joiner.key, url: joiner.url ?? member.url };
  if (changed.key !== member.key || changed.url !== member.url) {
    if ('out' in changed) draft.put('cell', number, changed);
    else draft.put('front', number, changed);
  }
  return { role, name, number };
}

/** One token's use. Runs under the lock of the config stream. */
async function useToken(draft: Draft, hash: string, joiner: Joiner): Promise<Joined> {
  const invitation = await lockInvitation(asHub(draft.db), hash);
  if (!invitation || (invitation.usedByKey ?? joiner.key) !== joiner.key || invitation.expired) throw badToken();
  const { role, name, number } = invitation;
  if (joiner.kind !== undefined && joiner.kind !== role) throw refuse(`This token lets a ${role} join, not a ${joiner.kind}.`);
  if (joiner.name !== undefined && joiner.name !== name)
    throw refuse(`This token is for a ${role} called ${name}; this one is called ${joiner.name}. Invite it by that name.`);
  if (invitation.usedByKey === joiner.key) {
    // Its answer was lost. What has become of the member meanwhile is not undone.
    const member = draft.get(role, number);
    if (!member) throw fail('retired', { what: memberName(role, name) });
    if (member.key !== joiner.key) throw otherKey(role, name);
    return { role, name, number };
  }
  const joined = invitation.rejoins ? readmit(draft, invitation, joiner) : await admit(draft, invitation, joiner);
  await spendInvitation(asHub(draft.db), hash, joiner.key, joined.number);
  return joined;
}

/** The reply comes when connected cells and fronts know the joiner, or have had two seconds: its first calls are no stranger's. */
export function joinHandlers(db: HubDb, to: GlobalAuthority, key: () => SigningKey): Handlers<'ReplicaJoin.join'> {
  return {
    'ReplicaJoin.join': async (call) => {
      const { token, nonce, key: spki, url, number, kind, name } = call.params;
      const joiner = keyTextFromSpki(spki);
      if (joiner === undefined) throw invalid({ key: ['Not an Ed25519 public key (SPKI in base64).'] });
      if (url !== undefined && !/^https?:\/\/[^/]/.test(url)) throw invalid({ url: ['http://HOST:PORT is meant.'] });
      const hash = hashSecret(token);
      // Anybody may call this: a stranger must not hold up the writers of the fleet.
      if (!(await isInvitation(db, hash))) throw badToken();
      const joined = await commit(to, { caller: { kind: 'join' }, reply: call.reply }, 'config', (draft) =>
        useToken(draft, hash, { key: joiner, url, number, kind, name }),
      );
      return {
        kind: joined.role,
        number: joined.number,
        name: joined.name,
        hub_key: spkiOf(key().text),
        signature: joinProof(key().privateKey, nonce, spki),
      };
    },
  };
}
