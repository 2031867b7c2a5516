/**
 * Invitations: a number that was never used, and a token that lets one cell or front join, once. Whoever has joined already is invited by
 * the same name to join again, with the number that it has.
 */
import { fail, invalid } from '../contract/errors.ts';
import { lastCell } from '../contract/ids.ts';
import { hashSecret } from '../global/api-key.ts';
import type { Authority } from '../global/authority.ts';
import type { Draft } from '../global/draft.ts';
import { retiredNamed } from '../global/member-state.ts';
import { randomSecret } from '../global/password.ts';
import { fingerprintOf, type SigningKey } from '../global/signing-key.ts';
import { drawNumber, numberDrawnFor } from './db/given-number-store.ts';
import { asHub, putInvitation } from './db/join-token-store.ts';
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

interface Invited {
  readonly role: Role;
  readonly name: string;
  /** Joining again, it may show another key than the registered one. */
  readonly replace?: boolean | undefined;
}

/** `Cell c17`, as errors name it. */
export function memberName(role: Role, name: string): string {
  return `${role === 'cell' ? 'Cell' : 'Front'} ${name}`;
}

/** Invite a cell or front of this name. @throws Failure `retired` for a name whose bearer was retired; `invalid` when numbers have run out. */
export async function invite(
  authority: Authority,
  key: SigningKey,
  { role, name, replace = false }: Invited,
  by: string,
): Promise<Invitation> {
  if (role === 'cell' && name === 'hub')
    throw invalid({ name: ["A cell cannot be called hub: what a front says of a caller is for one name, and that is the hub's."] });
  const token = randomSecret(32);
  const { value } = await authority.write('config', by, async (draft) => {
    const db = asHub(draft.db);
    const member = draft.named(role, name);
    if (!member && retiredNamed(authority.memory, role, name)) throw fail('retired', { what: memberName(role, name) });
    const number = member?.number ?? (await freshNumber(draft, role, name));
    if (number === undefined) throw invalid({ name: [`All ${lastCell} numbers have been given.`] });
    const rejoins = member !== undefined;
    const row = { hash: hashSecret(token), role, name, number, rejoins, replaceKey: rejoins && replace, by, seconds: lifetimeSeconds };
    const expires = await putInvitation(db, row);
    return { name, number, token, fingerprint: fingerprintOf(key.text), expires };
  });
  return value;
}

/** A second invitation of a name that has not joined takes over the number of the first. */
async function freshNumber(draft: Draft, role: Role, name: string): Promise<number | undefined> {
  const db = asHub(draft.db);
  return (await numberDrawnFor(db, role, name)) ?? (await drawNumber(db, role, name, draft.epoch));
}
