/** SSH keys that somebody has elsewhere. They are fetched before the stream is locked, so a slow site holds nobody up. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { openOutside, OutsideTrouble, parseKeySource } from '../outside.ts';
import { parseSshKey, type SshKey } from '../ssh-key.ts';
import { authorityOf, commit, type WritesTo } from './context.ts';
import { addSshKey, sshKeyBody } from './ssh-keys.ts';

const mostImported = 100;
const sites = { lp: 'Launchpad', gh: 'GitHub' } as const;

/** The keys of a text, each once; lines that are none (other types, comments) are left out. */
export function keysOf(text: string): SshKey[] {
  const keys = text
    .split('\n')
    .slice(0, 10 * mostImported)
    .flatMap((line) => parseSshKey(line) ?? []);
  return [...new Map(keys.map((key) => [key.blob, key])).values()];
}

/** Stage those that the user does not have. @returns all that the user has from there. */
async function addAll(draft: Draft, user: number, keysource: string, keys: readonly SshKey[]): Promise<BodyOf<'sshkey'>[]> {
  const had = new Set(draft.list('sshkey').flatMap((key) => (key.user === user ? (parseSshKey(key.key)?.blob ?? []) : [])));
  for (const key of keys) if (!had.has(key.blob)) await addSshKey(draft, user, key, keysource);
  return draft.list('sshkey').filter((key) => key.user === user && key.keysource === keysource);
}

export function sshKeyImport(to: WritesTo): Handlers<'SSHKeys.import'> {
  return {
    'SSHKeys.import': async (call) => {
      const { outside = openOutside() } = authorityOf(to);
      const { keysource } = call.params;
      const parsed = parseKeySource(keysource);
      if (!parsed) throw invalid({ keysource: ['Where the keys are: lp:USER for Launchpad, gh:USER for GitHub.'] });
      const { source, user } = parsed;
      const text = await outside.sshKeysOf(source, user).catch((error: unknown) => {
        if (!(error instanceof OutsideTrouble)) throw error;
        throw fail('keys_unreachable', { source: sites[source], user, reason: `${error.message}.` });
      });
      const unable = (why: string) => fail('bad_request', { reason: `Unable to import SSH keys. ${why}` });
      if (text === undefined) throw unable(`There is no ${source} user ${user}.`);
      const keys = keysOf(text);
      if (keys.length === 0) throw unable(`There are no SSH keys for ${source} user ${user}.`);
      if (keys.length > mostImported) throw unable(`The ${source} user ${user} has more than ${mostImported} SSH keys.`);
      const stored = await commit(to, call, 'access', (draft) => addAll(draft, call.caller.userId, keysource, keys));
      return stored.map(sshKeyBody);
    },
  };
}
