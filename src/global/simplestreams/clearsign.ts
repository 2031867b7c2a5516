/**
 * The cleartext signature framework (RFC 9580 §7), read as narrowly as it is written: one message, one signature, nothing before, between or
 * behind. What is returned is the text that the signature is over; whether it is a good one is `gpgv`'s to say. Pure.
 */
import { StreamTrouble } from './stream-trouble.ts';

const begin = '-----BEGIN PGP SIGNED MESSAGE-----';
const signature = '-----BEGIN PGP SIGNATURE-----';
const end = '-----END PGP SIGNATURE-----';

/** Lines as they are signed: without white space at their ends (§7.2), joined by newlines. */
export function signedLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/[ \t\r]+$/, ''))
    .join('\n')
    .replace(/\n+$/, '');
}

export function isClearsigned(text: string): boolean {
  return text.startsWith(begin);
}

/** The text inside of a clearsigned message, dashes unescaped. @throws StreamTrouble when it is anything else. */
export function textOfClearsigned(message: string): string {
  const lines = message.replace(/\r\n/g, '\n').split('\n');
  if (message.includes('\0') || lines.some((line) => line.includes('\r')))
    throw new StreamTrouble('its signed text has control characters');
  if (lines[0] !== begin) throw new StreamTrouble('its text is not signed');
  const blank = lines.indexOf('');
  const headers = lines.slice(1, Math.max(blank, 1));
  // Anything else there could mean something to one reader and nothing to another (RFC 9580 §7.1).
  if (blank < 0 || !headers.every((line) => /^Hash: [A-Z0-9, -]{1,80}$/.test(line)))
    throw new StreamTrouble('its signed text begins with something that does not belong there');
  const seal = lines.indexOf(signature, blank);
  const last = lines.indexOf(end, seal);
  if (seal < 0 || last < 0) throw new StreamTrouble('its signed text is cut off: the signature is missing');
  if (lines.slice(seal + 1, last).some((line) => line.startsWith('-')) || lines.slice(last + 1).some((line) => line !== ''))
    throw new StreamTrouble('its signed text goes on behind its signature');
  const text = lines.slice(blank + 1, seal).map((line) => {
    if (line.startsWith('- ')) return line.slice(2);
    if (line.startsWith('-')) throw new StreamTrouble('its signed text has a line that begins with an unescaped dash');
    return line;
  });
  return signedLines(text.join('\n'));
}
