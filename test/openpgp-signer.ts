// A throw-away OpenPGP key and cleartext signatures by it (RFC 9580 §5, §7), so that tests need no gpg: version 4, EdDSA over Curve25519, SHA-512.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

export interface OpenpgpSigner {
  /** The public key as a keyring: bytes. */
  readonly keyring: Buffer;
  /** The same in its armour. */
  readonly armoured: string;
  /** A clearsigned message of this text. */
  clearsign(text: string): string;
}

const number = (value: number, bytes: number): Buffer => Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex');
/** New-format packet with a five-octet length. */
const packet = (tag: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), number(body.length, 4), body]);
/** A multiprecision integer of these bytes. */
function integer(given: Buffer): Buffer {
  const first = given.findIndex((byte) => byte !== 0);
  const bytes = given.subarray(first < 0 ? given.length : first);
  const bits = bytes.length === 0 ? 0 : 8 * bytes.length - Math.clz32(bytes[0]!) + 24;
  return Buffer.concat([number(bits, 2), bytes]);
}
const subpacket = (type: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([body.length + 1, type]), body]);
const curve = Buffer.from('092b06010401da470f01', 'hex');

/** The checksum of an armour (RFC 9580 §6.1), without which GnuPG 2.2 reads on. */
function checksum(bytes: Buffer): string {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc & 0x800000 ? 0x1864cfb : 0);
  }
  return number(crc & 0xffffff, 3).toString('base64');
}

function armour(what: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PGP ${what}-----\n\n${lines.join('\n')}\n=${checksum(bytes)}\n-----END PGP ${what}-----\n`;
}

export function openpgpSigner(made = Math.floor(Date.now() / 1000) - 60): OpenpgpSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const point = Buffer.concat([Buffer.from([0x40]), publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)]);
  const body = Buffer.concat([Buffer.from([4]), number(made, 4), Buffer.from([22]), curve, integer(point)]);
  const framed = Buffer.concat([Buffer.from([0x99]), number(body.length, 2), body]);
  const fingerprint = createHash('sha1').update(framed).digest();

  const signature = (type: number, data: Buffer, more: Buffer = Buffer.alloc(0)): Buffer => {
    const hashed = Buffer.concat([subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])), subpacket(2, number(made + 1, 4)), more]);
    const head = Buffer.concat([Buffer.from([4, type, 22, 10]), number(hashed.length, 2), hashed]);
    const trailer = Buffer.concat([Buffer.from([4, 0xff]), number(head.length, 4)]);
    const digest = createHash('sha512').update(data).update(head).update(trailer).digest();
    const signed = sign(null, digest, privateKey);
    const unhashed = subpacket(16, fingerprint.subarray(-8));
    const tail = [
      number(unhashed.length, 2),
      unhashed,
      digest.subarray(0, 2),
      integer(signed.subarray(0, 32)),
      integer(signed.subarray(32)),
    ];
    return packet(2, Buffer.concat([head, ...tail]));
  };

  const name = Buffer.from('A test <test@example.org>');
  const certified = Buffer.concat([framed, Buffer.from([0xb4]), number(name.length, 4), name]);
  const keyring = Buffer.concat([packet(6, body), packet(13, name), signature(0x13, certified, subpacket(27, Buffer.from([0x03])))]);
  return {
    keyring,
    armoured: armour('PUBLIC KEY BLOCK', keyring),
    clearsign: (text) => {
      const lines = text.replace(/\n$/, '').split('\n');
      const signed = lines.map((line) => line.replace(/[ \t\r]+$/, '')).join('\r\n');
      const escaped = lines.map((line) => (line.startsWith('-') ? `- ${line}` : line)).join('\n');
      return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${escaped}\n${armour('SIGNATURE', signature(0x01, Buffer.from(signed)))}`;
    },
  };
}
