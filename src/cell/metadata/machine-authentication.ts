/** Is this OAuth key a machine's? The boot credential is bound to the address that it was minted for. */
import type { MachineCaller } from '../../http/handler.ts';
import { credentialByToken } from '../db/ticket-store.ts';
import type { CellDb } from '../db/cell-db.ts';
import { secretMatches } from './machine-credential.ts';

/** The machine behind these keys; undefined when they are no machine's, are revoked, or come from elsewhere. */
export async function authenticateMachine(
  db: CellDb,
  keys: { readonly consumerKey: string; readonly tokenKey: string; readonly tokenSecret: string },
  address: string,
): Promise<MachineCaller | undefined> {
  const row = await credentialByToken(db, keys.consumerKey, keys.tokenKey);
  if (!row || !secretMatches(keys.tokenSecret, row.secret_hash)) return undefined;
  if (row.kind === 'boot' && row.address !== null && row.address !== address) return undefined;
  return {
    kind: 'machine',
    address,
    systemId: row.system_id,
    credential: row.kind,
    ...(row.boot_id === null ? {} : { bootId: row.boot_id }),
    ...(row.nonce === null ? {} : { ticket: row.nonce }),
  };
}
