/**
 * The certificate by which the two Keas of a cell know each other: derived from secret.key, which both processes have, so that there is nothing
 * to hand over. Whoever has it may command Kea.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ownTls } from '../../global/certificate.ts';

/** PKCS #8 of an Ed25519 private key (RFC 8410 §7) up to its 32 bytes. */
const head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Write certificate and key into the folder, 0600. @param seed 32 bytes, secret and always the same for a cell */
export async function writePairCertificate(
  folder: string,
  seed: Buffer,
): Promise<{ readonly certificateFile: string; readonly keyFile: string }> {
  const privateKey = createPrivateKey({ key: Buffer.concat([head, seed]), format: 'der', type: 'pkcs8' });
  const { cert, key } = ownTls({ privateKey, publicKey: createPublicKey(privateKey), text: '' }, 'muster-dhcp');
  const files = { certificateFile: join(folder, 'pair.crt'), keyFile: join(folder, 'pair.key') };
  for (const [path, text] of [
    [files.certificateFile, cert],
    [files.keyFile, key],
  ] as const) {
    const file = await open(`${path}.new`, 'w', 0o600);
    await file.writeFile(text);
    await file.close();
    await rename(`${path}.new`, path);
  }
  return files;
}
