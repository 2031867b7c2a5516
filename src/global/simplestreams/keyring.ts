/** An OpenPGP keyring as `gpgv` reads it: bytes. Armoured keys are taken out of their armour (RFC 9580 §6). Pure. */
import { StreamTrouble } from './stream-trouble.ts';

const block =
  /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n((?:[A-Za-z]+: [^\r\n]*\r?\n)*)\r?\n([A-Za-z0-9+/=\s]+?)-----END PGP PUBLIC KEY BLOCK-----/g;

/** The keyring of these bytes, armoured or not. @throws StreamTrouble when there is no key in it. */
export function keyringIn(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  if (!text.includes('-----BEGIN PGP')) {
    if (bytes.length === 0) throw new StreamTrouble('its keyring is empty');
    return bytes;
  }
  // The line with `=` and four characters is a checksum that nobody needs.
  const keys = [...text.matchAll(block)].map(([, , body = '']) => Buffer.from(body.replace(/\n=[A-Za-z0-9+/]{4}\s*$/, ''), 'base64'));
  if (keys.length === 0 || keys.some((key) => key.length === 0)) throw new StreamTrouble('its keyring is no armoured public key');
  return Buffer.concat(keys);
}
