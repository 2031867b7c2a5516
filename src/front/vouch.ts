/** A front that has joined vouches for its callers by assertions: each good for one cell, one request and one minute. */
import { assertionHeader, makeAssertion } from '../global/assertion.ts';
import type { GlobalReader } from '../global/document.ts';
import type { SigningKey } from '../global/signing-key.ts';
import type { Vouch } from './front-context.ts';

/** `front`: the name under which the hub has registered this key. `now`: the time by the hub's clock, ms since 1970. */
export function assertingVouch(reader: GlobalReader, key: SigningKey, front: string, now: () => number): Vouch {
  return ({ caller }, { name, method, path }) => {
    const user = caller.kind === 'user' ? reader.get('user', caller.userId) : undefined;
    if (!user) return {};
    const { username, id, is_superuser, generation } = user;
    const claims = { user: username, userId: id, admin: is_superuser, generation, cell: name, method, path, front };
    return { [assertionHeader]: makeAssertion(key.privateKey, claims, now()) };
  };
}
