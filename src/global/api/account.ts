/** One's own API keys. The secret is in the reply that creates it and nowhere else. */
import { fail } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { hashSecret, maskedApiKey, mintApiKey, type ApiKey } from '../api-key.ts';
import type { Draft, Reading } from '../draft.ts';
import { commit, type GlobalReads, type WritesTo } from './context.ts';

/** What MAAS calls a key that nobody named. */
const defaultName = 'MAAS consumer';

/** Every cell and front holds all of them in memory. */
const mostTokens = 1_000;
const tooManyTokens = `This user has ${mostTokens} API keys, which is the limit. Delete some, or sign in with a consumer name, which replaces the key of that name.`;

/** Stage a new API key for a user; `replaces`: an older one of the same name ends. @throws Failure `bad_request` at 1,000 keys. */
export function addToken(draft: Draft, userId: number, name: string, replaces: boolean): ApiKey {
  const own = draft.entries('token').filter(([, token]) => token.user === userId);
  const replaced = own.filter(([, token]) => replaces && token.name === name);
  if (own.length - replaced.length >= mostTokens) throw fail('bad_request', { reason: tooManyTokens });
  for (const [id] of replaced) draft.retire('token', id);
  const key = mintApiKey();
  draft.put('token', key.token, { user: userId, consumer: key.consumer, hash: hashSecret(key.secret), name });
  return key;
}

/** A new key as the API shows it, once. */
export function newTokenBody({ consumer, token, secret }: ApiKey, name: string) {
  return { consumer_key: consumer, token_key: token, token_secret: secret, name };
}

/** The caller's token; somebody else's is not found. `text`: the token key, or the whole key. */
function findOwn(reading: Pick<Reading, 'get'>, text: string, userId: number) {
  const id = text.split(':')[1] ?? text;
  const token = reading.get('token', id);
  if (!token || token.user !== userId) throw fail('not_found', { what: 'Token' });
  return { id, token };
}

export function accountReads({ reader }: GlobalReads): Handlers<'Account.list_authorisation_tokens'> {
  return {
    'Account.list_authorisation_tokens': ({ caller }) =>
      reader
        .entries('token')
        .filter(([, token]) => token.user === caller.userId)
        .map(([id, token]) => ({ name: token.name, token: maskedApiKey(token.consumer, id) })),
  };
}

export function accountWrites(
  to: WritesTo,
): Handlers<'Account.create_authorisation_token' | 'Account.delete_authorisation_token' | 'Account.update_token_name'> {
  return {
    'Account.create_authorisation_token': (call) =>
      commit(to, call, 'access', (draft) => {
        const name = call.params.name ?? defaultName;
        return newTokenBody(addToken(draft, call.caller.userId, name, false), name);
      }),
    'Account.delete_authorisation_token': (call) =>
      commit(to, call, 'access', (draft) => {
        draft.retire('token', findOwn(draft, call.params.token_key, call.caller.userId).id);
      }),
    'Account.update_token_name': (call) =>
      commit(to, call, 'access', (draft) => {
        const { id, token } = findOwn(draft, call.params.token, call.caller.userId);
        draft.put('token', id, { ...token, name: call.params.name });
        return 'Accepted';
      }),
  };
}
