/** `Content-Range: bytes 4194304-8388607/104857600` (RFC 9110 §14.4) on a chunk of an upload: where it belongs, so that it can be sent twice. */

/**
 * Where a chunk of `length` bytes starts, of a whole of `size`; undefined when nothing was said, `malformed` when it is not that or does
 * not fit the chunk. Pure.
 */
export function chunkStart(header: string | undefined, length: number, size: number): number | undefined | 'malformed' {
  if (header === undefined) return undefined;
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header.trim());
  if (!match) return 'malformed';
  const [start, end] = [Number(match[1]), Number(match[2])];
  const isWhole = match[3] === '*' || Number(match[3]) === size;
  return isWhole && end - start + 1 === length && end < size ? start : 'malformed';
}
