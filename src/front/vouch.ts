/** A front that has joined vouches for its callers by assertions: each good for one cell, one request and one minute. */
import { assertionHeader, makeAssertion } from '../global/assertion.ts';
import { clientHeader, nearestAddress, sealClient } from '../global/client-address.ts';
import type { GlobalReader } from '../global/document.ts';
import type { SigningKey } from '../global/signing-key.ts';
import type { Vouch } from './front-context.ts';

/** The name that assertions give the hub. */
export const hubAudience = 'hub';

/** `front`: the name under which the hub has registered this key. `now`: the time by the hub's clock, ms since 1970. */
export function assertingVouch(reader: GlobalReader, key: SigningKey, front: string, now: () => number): Vouch {
  return ({ caller, request }, { name, method, path }) => {
    // The hub counts wrong passwords by the client, not by the front.
    const client = { front, address: nearestAddress(request), method, path };
    const from = name === hubAudience ? { [clientHeader]: sealClient(key.privateKey, client, now()) } : {};
    const user = caller.kind === 'user' ? reader.get('user', caller.userId) : undefined;
    if (!user) return from;
    const { username, id, is_superuser, generation } = user;
    const claims = { user: username, userId: id, admin: is_superuser, generation, cell: name, method, path, front };
    return { ...from, [assertionHeader]: makeAssertion(key.privateKey, claims, now()) };
  };
}
