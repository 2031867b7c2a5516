/** Writes the "newc" cpio archives that Linux takes as initramfs (kernel's Documentation/driver-api/early-userspace/buffer-format.rst). */

export interface CpioEntry {
  /** Relative path without a leading slash. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly content:
    | { readonly kind: 'folder' }
    | { readonly kind: 'file'; readonly bytes: Uint8Array }
    | { readonly kind: 'link'; readonly to: string };
}

const kinds = { folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

/**
 * The archive of these entries and every folder above them: sorted by path, owner root, time 0, numbered inodes, so that the same entries
 * give the same bytes.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const all = new Map<string, CpioEntry>();
  for (const entry of entries) {
    const parts = entry.path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const path = parts.slice(0, depth).join('/');
      if (!all.has(path)) all.set(path, { path, mode: 0o755, content: { kind: 'folder' } });
    }
    all.set(entry.path, entry);
  }
  const sorted = [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap((entry, index) => record(entry.path, kinds[entry.content.kind] | entry.mode, index + 1, bytesOf(entry)));
  return Buffer.concat([...parts, ...record('TRAILER!!!', 0, 0, new Uint8Array())]);
}

function bytesOf({ content }: CpioEntry): Uint8Array {
  switch (content.kind) {
    case 'folder':
      return new Uint8Array();
    case 'file':
      return content.bytes;
    case 'link':
      return Buffer.from(content.to, 'utf8');
  }
}

function record(path: string, mode: number, inode: number, bytes: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`, 'utf8');
  const links = (mode & 0o170000) === kinds.folder ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, bytes.byteLength, 0, 0, 0, 0, name.byteLength, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`, 'latin1');
  return [header, name, padding(header.byteLength + name.byteLength), bytes, padding(bytes.byteLength)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
