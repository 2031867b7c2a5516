/** Users. Their passwords' verifiers commit in the same transaction but are never part of a document. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { dropVerifier, putVerifier } from '../db/verifier-store.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { makeVerifier } from '../password.ts';
import { retireNotificationsOf } from '../retire-notification.ts';
import { retireFilesOf } from './files.ts';
import { authorityOf, commit, refuseInUse, uri, type GlobalReads, type WritesTo } from './context.ts';

export function userBody({ username, email, is_superuser, is_local }: BodyOf<'user'>) {
  return { username, email, is_superuser, is_local, resource_uri: uri('users', username) };
}

function find(reading: Pick<Reading, 'named'>, name: string): BodyOf<'user'> {
  const user = reading.named('user', name);
  if (!user) throw fail('not_found', { what: 'User' });
  return user;
}

export function userReads({ reader }: GlobalReads): Handlers<'Users.read' | 'Users.whoami' | 'User.read'> {
  return {
    'Users.read': () => reader.list('user').map(userBody),
    'User.read': ({ path }) => userBody(find(reader, path.username)),
    'Users.whoami': ({ caller }) =>
      userBody(
        // Somebody whom a front vouches for may be newer than this replica.
        reader.get('user', caller.userId) ?? {
          id: caller.userId,
          username: caller.username,
          email: '',
          is_superuser: caller.admin,
          is_local: true,
          generation: 1,
        },
      ),
  };
}

/** Stage a new user with a password. @throws Failure `invalid` when the name or address is taken. */
export async function addUser(
  draft: Draft,
  given: { readonly username: string; readonly email: string; readonly is_superuser: boolean },
  verifier: string,
): Promise<BodyOf<'user'>> {
  if (draft.named('user', given.username)) throw invalid({ username: ['A user with that username already exists.'] });
  if (given.email !== '' && draft.list('user').some((user) => user.email === given.email)) {
    throw invalid({ email: ['User with this E-mail address already exists.'] });
  }
  const user = { id: await draft.drawId(), ...given, is_local: true, generation: 1 };
  draft.put('user', user.id, user);
  await putVerifier(draft.db, user.id, verifier);
  return user;
}

/** Stage a new password: every session and assertion from before is refused from then on. */
export async function changePassword(draft: Draft, user: BodyOf<'user'>, verifier: string): Promise<void> {
  draft.put('user', user.id, { ...user, generation: user.generation + 1 });
  await putVerifier(draft.db, user.id, verifier);
}

/** Who takes over from `user`. @throws Failure `not_found`, `invalid`. */
export function findHeir(reading: Pick<Reading, 'named'>, user: BodyOf<'user'>, heir: string): BodyOf<'user'> {
  const found = find(reading, heir);
  if (found.id === user.id) throw invalid({ transfer_resources_to: ['A user cannot take over from themselves.'] });
  return found;
}

/** Stage the end of a user with all keys. */
export async function removeUser(draft: Draft, user: BodyOf<'user'>): Promise<void> {
  for (const kind of ['token', 'sshkey', 'sslkey'] as const) {
    for (const [id, body] of draft.entries(kind)) if (body.user === user.id) draft.retire(kind, id);
  }
  draft.retire('user', user.id);
  await dropVerifier(draft.db, user.id);
}

export function userWrites(to: WritesTo, { reader }: GlobalReads): Handlers<'Users.create' | 'User.delete'> {
  return {
    'Users.create': async (call) => {
      authorityOf(to);
      const { username, email, password, is_superuser } = call.params;
      if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) throw invalid({ email: ['Enter a valid email address.'] });
      // The slow hash is made before the lock is taken.
      const verifier = await makeVerifier(password);
      return userBody(await commit(to, call, 'access', (draft) => addUser(draft, { username, email, is_superuser }, verifier)));
    },
    'User.delete': async (call) => {
      authorityOf(to);
      const user = reader.named('user', call.path.username);
      // Like MAAS: deleting what is not there is no error.
      if (!user) return;
      if (user.id === call.caller.userId) throw fail('bad_request', { reason: 'An administrator cannot delete themselves.' });
      const heir = call.params.transfer_resources_to;
      if (heir !== undefined) {
        findHeir(reader, user, heir);
        const { usage } = authorityOf(to);
        if (!usage) throw fail('bad_request', { reason: 'Only a front reaches the machines of all cells: send this to one.' });
        await usage.transfer({ from: user.username, to: heir, by: call.caller.username });
      }
      await refuseInUse(to, 'user', user.id, `User ${user.username}`);
      // First what is in the other stream: if this breaks off, the user is still there, and the same call does the rest.
      await commit(to, call, 'config', async (draft) => {
        await retireFilesOf(draft, user.id);
        retireNotificationsOf(draft, user.id);
      });
      await commit(to, call, 'access', async (draft) => {
        const current = draft.get('user', user.id);
        if (current) await removeUser(draft, current);
      });
    },
  };
}
