/** `Range: bytes=…` of one range (RFC 9110 §14.1.2). Firmware asks for the end of a file first, downloaders go on where they stopped. */

export type ByteRange = { readonly start: number; readonly end: number } | 'whole' | 'unsatisfiable';

/** What to send of `size` bytes; several ranges, other units and nonsense get the whole, as the RFC allows. */
export function byteRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return 'whole';
  if (match[1] === '') {
    const last = Number(match[2]);
    return last === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - last), end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < start) return 'whole';
  return start >= size ? 'unsatisfiable' : { start, end };
}
