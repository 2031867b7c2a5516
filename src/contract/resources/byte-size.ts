/** Sizes as MAAS's clients write them: bytes, or a number with a decimal unit (`10G` is 10 × 1000³), or a share of a disk (`20%`). */
import { Type } from 'typebox';

const units = 'KMGTPE';

export const ByteSize = Type.String({ pattern: '^[0-9]{1,16}[KkMmGgTtPpEe]?$' });
export const ByteSizeOrShare = Type.String({ pattern: '^([0-9]{1,16}[KkMmGgTtPpEe]?|[0-9]{1,3}([.][0-9]{1,6})?%)$' });

/** Bytes; a share is of `whole`. Never more than can be counted exactly. */
export function bytesOf(text: string, whole = 0): number {
  if (text.endsWith('%')) return Math.floor((whole * Number(text.slice(0, -1))) / 100);
  const power = units.indexOf(text.slice(-1).toUpperCase()) + 1;
  const number = Number(power > 0 ? text.slice(0, -1) : text);
  return Math.min(number * 1000 ** power, Number.MAX_SAFE_INTEGER);
}
