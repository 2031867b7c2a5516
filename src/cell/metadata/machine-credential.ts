/** Credentials of machines: derived from the cell's secret key, so the same boot gets the same answer again and only a hash is stored. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { SecretKey } from '../db/secret-key.ts';

export interface MachineCredential {
  readonly consumerKey: string;
  readonly tokenKey: string;
  readonly tokenSecret: string;
}

/** The boot credential of one boot: dies with its ticket. */
export function bootCredential(key: Pick<SecretKey, 'derive'>, nonce: string, bootId: string): MachineCredential {
  return derive(key, 'boot', nonce, bootId);
}

/** The system credential of one deployment: written by the installer, lives until release or redeploy. */
export function systemCredential(key: Pick<SecretKey, 'derive'>, systemId: string, operationId: number): MachineCredential {
  return derive(key, 'system', systemId, String(operationId));
}

/** The nonce of the standing rescue boot: derived from state, repeatable, and of no use in any other state. */
export function rescueNonce(key: Pick<SecretKey, 'derive'>, systemId: string): string {
  return createHash('sha256')
    .update(key.derive(64, 'rescue', systemId))
    .digest('hex')
    .slice(0, 32);
}

function derive(key: Pick<SecretKey, 'derive'>, ...parts: readonly string[]): MachineCredential {
  return {
    consumerKey: key.derive(18, 'consumer', ...parts),
    tokenKey: key.derive(18, 'token', ...parts),
    tokenSecret: key.derive(32, 'secret', ...parts),
  };
}

/** The secret has 190 bits; a fast hash is enough. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function secretMatches(secret: string, hash: Buffer): boolean {
  const given = hashSecret(secret);
  return given.byteLength === hash.byteLength && timingSafeEqual(given, hash);
}
