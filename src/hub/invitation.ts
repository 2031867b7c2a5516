/** Invitations: a number that was never used, and a token that lets one cell or front join, once. */
import { invalid } from '../contract/errors.ts';
import { lastCell } from '../contract/ids.ts';
import { hashSecret } from '../global/api-key.ts';
import type { Authority } from '../global/authority.ts';
import { randomSecret } from '../global/password.ts';
import { fingerprintOf, type SigningKey } from '../global/signing-key.ts';
import { asHub, invitedNumbers, openInvitation, putInvitation } from './db/join-token-store.ts';
import type { Role } from './db/hub-tables.ts';

/** A day: long enough to walk to the rack, short enough to forget. */
const lifetimeSeconds = 24 * 3600;

export interface Invitation {
  readonly name: string;
  readonly number: number;
  /** Shown once. */
  readonly token: string;
  /** SHA-256 of the hub's public key, in hex. */
  readonly fingerprint: string;
  readonly expires: Date;
}

/** Invite a cell or front of this name. @throws Failure `invalid` when one has joined under it. */
export async function invite(authority: Authority, key: SigningKey, role: Role, name: string, by: string): Promise<Invitation> {
  const token = randomSecret(32);
  const { value } = await authority.write('config', by, async (draft) => {
    if (draft.named(role, name)) throw invalid({ name: [`${role === 'cell' ? 'Cell' : 'Front'} with this Name already exists.`] });
    const db = asHub(draft.db);
    const given = await invitedNumbers(db, role);
    const used = (candidate: number): boolean =>
      given.has(candidate) || draft.get(role, candidate) !== undefined || draft.isRetired(role, candidate);
    // A second invitation of the same name takes over the number of the first, unused one.
    let number = await openInvitation(db, role, name);
    if (number === undefined) for (number = 1; used(number);) number += 1;
    if (number > lastCell) throw invalid({ name: [`All ${lastCell} numbers have been given.`] });
    const expires = await putInvitation(db, { hash: hashSecret(token), role, name, number, by, seconds: lifetimeSeconds });
    return { name, number, token, fingerprint: fingerprintOf(key.text), expires };
  });
  return value;
}
