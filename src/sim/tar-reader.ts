/** Reads the small uncompressed archives that a cell hands its scripts in (POSIX ustar, IEEE 1003.1 pax "ustar Interchange Format"). */

const block = 512;

function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}

function octal(bytes: Uint8Array, start: number, length: number): number {
  const digits = text(bytes, start, length).trim();
  return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** The sum of a header's bytes, its own sum counted as spaces. */
function sum(header: Uint8Array): number {
  return header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
}

/**
 * Regular files by path. Folders are passed over.
 * @throws Error that says what is wrong with the archive.
 */
export function readTar(bytes: Uint8Array): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  let at = 0;
  for (;;) {
    const header = bytes.subarray(at, at + block);
    if (header.length < block) throw new Error(`the archive ends at byte ${bytes.length} without its two empty blocks`);
    if (header.every((byte) => byte === 0)) return files;
    if (octal(header, 148, 8) !== sum(header)) throw new Error(`the header at byte ${at} has a wrong checksum`);
    const size = octal(header, 124, 12);
    if (Number.isNaN(size)) throw new Error(`the header at byte ${at} has no size`);
    const prefix = text(header, 345, 155);
    const path = `${prefix === '' ? '' : `${prefix}/`}${text(header, 0, 100)}`;
    if (path === '' || path.startsWith('/') || path.split('/').includes('..'))
      throw new Error(`the archive has the path ${JSON.stringify(path)}`);
    const kind = text(header, 156, 1);
    const start = at + block;
    if (start + size > bytes.length) throw new Error(`${path} should have ${size} bytes; the archive ends before`);
    if (kind === '0' || kind === '') files.set(path, Buffer.from(bytes.subarray(start, start + size)));
    else if (kind !== '5') throw new Error(`${path} is of kind ${JSON.stringify(kind)}`);
    at = start + Math.ceil(size / block) * block;
  }
}
