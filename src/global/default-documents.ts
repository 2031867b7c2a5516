/** What every fleet starts with, and the first admin. */
import type { Authority } from './authority.ts';
import { addToken } from './api/account.ts';
import { defaultPool } from './api/resource-pools.ts';
import { addUser, changePassword } from './api/users.ts';
import { defaultZone } from './api/zones.ts';
import { formatApiKey } from './api-key.ts';
import { makeVerifier, randomSecret } from './password.ts';

/** Zone 1 and pool 0, both called `default`, unless they are there. Any number of processes may call it at once. */
export async function ensureDefaults(authority: Authority): Promise<void> {
  const { memory } = authority;
  if (memory.get('zone', defaultZone) && memory.get('pool', defaultPool)) return;
  await authority.write('config', 'muster', (draft) => {
    if (!draft.get('zone', defaultZone)) draft.put('zone', defaultZone, { id: defaultZone, name: 'default', description: '' });
    if (!draft.get('pool', defaultPool)) draft.put('pool', defaultPool, { id: defaultPool, name: 'default', description: 'Default pool' });
  });
}

/** What is shown once, when a fleet is set up. */
export interface FirstAdmin {
  readonly username: string;
  readonly password: string;
  readonly apiKey: string;
}

/**
 * The first admin with a random password and an API key. Both are returned here and never again.
 * @returns undefined when there is an admin already.
 */
export async function createFirstAdmin(authority: Authority, username = 'admin'): Promise<FirstAdmin | undefined> {
  const password = randomSecret(20);
  const verifier = await makeVerifier(password);
  const { value } = await authority.write('access', 'muster', async (draft) => {
    if (draft.list('user').some((user) => user.is_superuser)) return undefined;
    const user = await addUser(draft, { username, email: '', is_superuser: true }, verifier);
    return { username, password, apiKey: formatApiKey(addToken(draft, user.id, 'hub init', false)) };
  });
  return value;
}

/** A lost password: a new random one, and an end to every session. Undefined when there is no such user. */
export async function resetPassword(authority: Authority, username: string): Promise<string | undefined> {
  const password = randomSecret(20);
  const verifier = await makeVerifier(password);
  const { value } = await authority.write('access', 'muster', async (draft) => {
    const user = draft.named('user', username);
    if (user) await changePassword(draft, user, verifier);
    return user && password;
  });
  return value;
}
