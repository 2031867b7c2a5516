/**
 * Muster's own GRUB, made by Debian's grub-mkimage: what the agent installs on disks, and what UEFI iPXE chains to boot the local disk.
 * All read a stub text that says where the root file system is, so one set of images serves every machine.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackageTree } from './package-tree.ts';

/** Where core.img and the stub text lie on a disk, in sectors of 512 bytes; the agent's steps.sh writes there. */
export const coreSector = 2048;
export const stubSector = 3072;
export const stubSectors = 8;

const modules = [
  'part_gpt',
  'part_msdos',
  'ext2',
  'fat',
  'search',
  'search_fs_uuid',
  'search_fs_file',
  'search_label',
  'configfile',
  'normal',
  'linux',
  'echo',
  'serial',
  'terminal',
  'test',
  'gzio',
  'boot',
  'reboot',
  'halt',
  'cat',
  'ls',
] as const;

export interface GrubImages {
  /** The MBR's 440 bytes and more, set to load core.img from {@link coreSector}. */
  readonly boot: Buffer;
  readonly core: Buffer;
  /** Installed as /EFI/BOOT/BOOTX64.EFI. */
  readonly disk: Buffer;
  /** Chainloads /EFI/BOOT/BOOTX64.EFI of the local disk (netboot.md §5: iPXE's `exit` does not). */
  readonly local: Buffer;
}

export async function makeGrubImages(tree: PackageTree, scratch: string): Promise<GrubImages> {
  await mkdir(scratch, { recursive: true });
  const make = async (format: 'i386-pc' | 'x86_64-efi', name: string, prefix: string, config: string, names: readonly string[]) => {
    const [configFile, output] = [join(scratch, `${name}.cfg`), join(scratch, name)];
    await writeFile(configFile, config);
    await tree.run('grub-mkimage', [
      '-d',
      join(tree.folder, 'usr/lib/grub', format),
      '-O',
      format,
      '-o',
      output,
      '-c',
      configFile,
      '-p',
      prefix,
      ...names,
    ]);
    return readFile(output);
  };
  // ($root) is the disk that the firmware booted, by the prefix's missing drive name; the stub is read as a block list (GRUB manual §13.3).
  const core = await make('i386-pc', 'core.img', '(,gpt1)/', `configfile ($root)${stubSector - coreSector}+${stubSectors}\n`, [
    'biosdisk',
    ...modules,
  ]);
  const disk = await make('x86_64-efi', 'disk.efi', '/EFI/BOOT', 'configfile $cmdpath/grub.cfg\n', modules);
  // The second search replaces $root only when it finds a disk that this installer wrote: an old loader on another disk is not preferred.
  const local = await make(
    'x86_64-efi',
    'local.efi',
    '/EFI/BOOT',
    'search.file /EFI/BOOT/BOOTX64.EFI root\nsearch.file /EFI/muster/local.cfg root\nchainloader ($root)/EFI/BOOT/BOOTX64.EFI\nboot\n',
    ['part_gpt', 'part_msdos', 'fat', 'search', 'search_fs_file', 'chain', 'boot', 'normal', 'echo'],
  );
  const boot = await readFile(join(tree.folder, 'usr/lib/grub/i386-pc/boot.img'));
  return { boot: pointBootSector(boot), core: pointCore(core), disk, local };
}

/** boot.img: the sector of core.img at 0x5c (64 bits), and the jump at 0x66 that distrusts the firmware's drive number replaced by two nops. */
export function pointBootSector(image: Buffer): Buffer {
  const patched = Buffer.from(image);
  patched.writeBigUInt64LE(BigInt(coreSector), 0x5c);
  patched.writeUInt16LE(0x9090, 0x66);
  return patched;
}

/** core.img: the block list at the end of its first sector says where the rest lies: start (64 bits), sectors, and the segment 0x820 to load to. */
export function pointCore(image: Buffer): Buffer {
  const sectors = Math.ceil(image.byteLength / 512);
  if (sectors > stubSector - coreSector) throw new RangeError(`core.img has ${sectors} sectors and would overwrite the stub`);
  const patched = Buffer.alloc(sectors * 512);
  image.copy(patched);
  patched.writeBigUInt64LE(BigInt(coreSector + 1), 0x1f4);
  patched.writeUInt16LE(sectors - 1, 0x1fc);
  patched.writeUInt16LE(0x820, 0x1fe);
  return patched;
}
