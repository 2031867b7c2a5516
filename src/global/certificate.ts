/**
 * A self-signed X.509 certificate over an Ed25519 key (RFC 5280, RFC 8410), written by hand: nothing in it matters but the key, which the
 * other side has pinned. Made anew at each start from the same key; there is nothing to store or to renew.
 */
import { sign } from 'node:crypto';
import type { SigningKey } from './signing-key.ts';

/** One DER element: tag, length (X.690 §8.1.3), content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 255 ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...content: Buffer[]): Buffer => der(0x30, ...content);
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
/** id-Ed25519, 1.3.101.112. */
const ed25519 = sequence(objectId('2b6570'));
/** id-at-commonName, 2.5.4.3. */
const commonName = objectId('550403');

/**
 * The certificate in PEM, `name` as its common name. Valid from 2000 to the end of time (RFC 5280 §4.1.2.5): clocks of cells may be wrong,
 * and what is trusted is the pinned key.
 */
export function selfSignedCertificate(key: SigningKey, name: string): string {
  const subject = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(name, 'utf8')))));
  const validity = sequence(der(0x17, Buffer.from('000101000000Z')), der(0x18, Buffer.from('99991231235959Z')));
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const serial = der(0x02, Buffer.from([1]));
  const publicKey = key.publicKey.export({ type: 'spki', format: 'der' });
  const body = sequence(version, serial, ed25519, subject, validity, subject, publicKey);
  const signature = der(0x03, Buffer.from([0]), sign(null, body, key.privateKey));
  const lines =
    sequence(body, ed25519, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** What a TLS listener takes: the key and its own certificate. */
export function ownTls(key: SigningKey, name: string): { readonly key: string; readonly cert: string } {
  return { key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: selfSignedCertificate(key, name) };
}
