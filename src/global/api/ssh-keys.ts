/** The caller's SSH keys. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { parseSshKey, type SshKey } from '../ssh-key.ts';
import { commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';

export function sshKeyBody({ id, key, keysource }: BodyOf<'sshkey'>) {
  return { id, key, keysource, resource_uri: uri('account', 'prefs', 'sshkeys', id) };
}

/** Every program holds all of them in memory, and a machine gets all of its owner's. */
const mostKeys = 500;

/** Stage a key that the user does not have yet. `keysource`: where it was imported from. @throws Failure `bad_request` at 500 keys. */
export async function addSshKey(draft: Draft, user: number, parsed: SshKey, keysource: string | null): Promise<BodyOf<'sshkey'>> {
  const count = draft.list('sshkey').filter((key) => key.user === user).length;
  if (count >= mostKeys) throw fail('bad_request', { reason: `This user has ${mostKeys} SSH keys, which is the limit.` });
  const key = { id: await draft.drawId(), user, key: parsed.line, keysource };
  draft.put('sshkey', key.id, key);
  return key;
}

export function sshKeyReads({ reader }: GlobalReads): Handlers<'SSHKeys.read' | 'SSHKey.read'> {
  return {
    'SSHKeys.read': ({ caller }) =>
      reader
        .list('sshkey')
        .filter((key) => key.user === caller.userId)
        .map(sshKeyBody),
    'SSHKey.read': ({ path, caller }) => {
      const key = reader.get('sshkey', idOfPath(path.id));
      if (!key || key.user !== caller.userId) throw fail('not_found', { what: 'SSHKey' });
      return sshKeyBody(key);
    },
  };
}

export function sshKeyWrites(to: WritesTo): Handlers<'SSHKeys.create' | 'SSHKey.delete'> {
  return {
    'SSHKeys.create': (call) =>
      commit(to, call, 'access', async (draft) => {
        const parsed = parseSshKey(call.params.key);
        if (!parsed) throw invalid({ key: ['Invalid SSH public key.'] });
        const user = call.caller.userId;
        const same = draft.list('sshkey').some((other) => other.user === user && parseSshKey(other.key)?.blob === parsed.blob);
        if (same) throw invalid({ __all__: ['This key has already been added for this user.'] });
        return sshKeyBody(await addSshKey(draft, user, parsed, null));
      }),
    'SSHKey.delete': (call) =>
      commit(to, call, 'access', (draft) => {
        const key = draft.get('sshkey', idOfPath(call.path.id));
        if (!key) throw fail('not_found', { what: 'SSHKey' });
        if (key.user !== call.caller.userId) throw fail('forbidden');
        draft.retire('sshkey', key.id);
      }),
  };
}
