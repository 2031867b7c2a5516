/** A certificate as people paste it: one X.509 certificate in PEM (RFC 7468 §5). */
import { X509Certificate } from 'node:crypto';

const onePem = /^-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----$/;

/** Reads it: the text with plain line ends, and its SHA-256; undefined when it is not exactly one certificate. */
export function parseCertificate(text: string): { readonly pem: string; readonly fingerprint: string } | undefined {
  const pem = text.trim();
  if (!onePem.test(pem)) return undefined;
  try {
    return { pem: `${pem.replaceAll('\r\n', '\n')}\n`, fingerprint: new X509Certificate(pem).fingerprint256 };
  } catch {
    return undefined;
  }
}
