/** Writes the small uncompressed tar archives that machines fetch their scripts in (POSIX ustar, IEEE 1003.1 pax "ustar Interchange Format"). */

export interface TarEntry {
  /** At most 100 bytes, relative, no empty, `.` or `..` part, no NUL. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

const block = 512;

function header(entry: TarEntry): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, offset: number, length: number) =>
    bytes.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'ascii');
  bytes.write(entry.path, 0, 'utf8');
  octal(entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.content.byteLength, 124, 12);
  octal(0, 136, 12);
  bytes.write('        ', 148, 'ascii');
  bytes.write('0', 156, 'ascii');
  bytes.write('ustar\0' + '00', 257, 'ascii');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return bytes;
}

/** @throws RangeError for a path that does not fit or leaves the folder. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    const parts = entry.path.split('/');
    if (
      Buffer.byteLength(entry.path) > 100 ||
      entry.path.includes('\0') ||
      parts.some((part) => part === '' || part === '.' || part === '..')
    ) {
      throw new RangeError(`not a path for this archive: ${entry.path}`);
    }
    blocks.push(header(entry), entry.content, Buffer.alloc((block - (entry.content.byteLength % block)) % block));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * block)]);
}
