/** A boot trades its nonce for a credential: counted and minted in one transaction, the same answer again for the same boot. */
import type { LiveTicket } from '../db/ticket-store.ts';
import { checkIn, mintCredential } from '../db/ticket-store.ts';
import { bootCredential, hashSecret, type MachineCredential } from './machine-credential.ts';
import type { MetadataContext } from './metadata-context.ts';

export type CheckInOutcome = Awaited<ReturnType<typeof checkIn>>;

/** @returns what came of it; the credential is good for `first` and `again` alone */
export async function checkInBoot(
  { database, secretKey, door }: Pick<MetadataContext, 'database' | 'secretKey' | 'door'>,
  ticket: Pick<LiveTicket, 'nonce' | 'system_id'>,
  bootId: string,
  address: string,
): Promise<{ readonly outcome: CheckInOutcome; readonly credential: MachineCredential }> {
  const { nonce, system_id: systemId } = ticket;
  const credential = bootCredential(secretKey, nonce, bootId);
  door.killPoint('check_in:before');
  const outcome = await database.transaction(async (tx) => {
    const result = await checkIn(tx, nonce, bootId, address);
    if (result === 'first') {
      await mintCredential(tx, {
        ...credential,
        secretHash: hashSecret(credential.tokenSecret),
        systemId,
        kind: 'boot',
        bootId,
        nonce,
        address,
      });
      door.killPoint('check_in:after-effect');
    }
    return result;
  });
  door.killPoint('check_in:before-reply');
  return { outcome, credential };
}
