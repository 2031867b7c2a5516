import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownTls, selfSignedCertificate } from './certificate.ts';
import { fingerprintOf, generateSigningKey, keyTextFromSpki, loadSigningKey, publicKeyFrom, spkiOf } from './signing-key.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-key-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the key file', () => {
  test('is made once, 0600, whoever starts at the same moment', async () => {
    const file = join(folder, 'deep', 'key.pem');
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadSigningKey(file)));
    expect(new Set(keys.map((key) => key.text)).size).toBe(1);
    expect((await loadSigningKey(file)).text).toBe(keys[0]?.text);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('that holds something else is refused and left alone', async () => {
    const file = join(folder, 'bad.pem');
    await writeFile(file, 'no key\n');
    await expect(loadSigningKey(file)).rejects.toThrow('holds no private key');
  });
});

describe('a key on the wire', () => {
  test('comes back as it was', () => {
    const key = generateSigningKey();
    expect(keyTextFromSpki(spkiOf(key.text))).toBe(key.text);
    expect(publicKeyFrom(key.text)?.equals(key.publicKey)).toBe(true);
    expect(fingerprintOf(key.text)).toMatch(/^[0-9a-f]{64}$/);
  });

  test('that is none is undefined', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        expect(keyTextFromSpki(text)).toBeUndefined();
        if (text.length !== 43) expect(publicKeyFrom(text)).toBeUndefined();
      }),
    );
  });
});

describe('the certificate', () => {
  test('is read and verified by Node and by openssl, and pins the key', async () => {
    const key = generateSigningKey();
    const pem = selfSignedCertificate(key, 'muster hub');
    const certificate = new X509Certificate(pem);
    expect(certificate.subject).toBe('CN=muster hub');
    expect(certificate.verify(key.publicKey)).toBe(true);
    expect(certificate.verify(generateSigningKey().publicKey)).toBe(false);
    expect(certificate.publicKey.equals(key.publicKey)).toBe(true);
    expect(certificate.validTo).toContain('9999');
    const file = join(folder, 'cert.pem');
    await writeFile(file, pem);
    expect(execFileSync('openssl', ['verify', '-CAfile', file, file], { encoding: 'utf8' })).toContain('OK');
    expect(ownTls(key, 'x').key).toContain('PRIVATE KEY');
  });

  test('of any name is well-formed', () => {
    const key = generateSigningKey();
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }), (name) => {
        expect(new X509Certificate(selfSignedCertificate(key, name)).verify(key.publicKey)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});
