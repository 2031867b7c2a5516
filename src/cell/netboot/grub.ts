/**
 * Our own tiny GRUB images: what iPXE chains for what it cannot do itself. Pure: which modules, which built-in commands. They are made
 * at start from Debian's modules by `grub-mkimage` (0.01 s each) in loaders.ts.
 */

export interface GrubImage {
  readonly name: string;
  readonly format: 'x86_64-efi' | 'i386-pc';
  readonly modules: readonly string[];
  /** Run at once; GRUB ends with the last line. */
  readonly commands: readonly string[];
  /** Put before the image: makes it loadable as a Linux kernel, which iPXE on BIOS can boot. */
  readonly head?: 'lnxboot.img';
  readonly debianPackage: string;
}

export const grubImages: readonly GrubImage[] = [
  {
    // Looks for the removable-media loader on any disk and runs it; `exit` returns to iPXE when there is none.
    name: 'local.efi',
    format: 'x86_64-efi',
    modules: ['part_gpt', 'part_msdos', 'fat', 'search', 'search_fs_file', 'chain', 'minicmd'],
    commands: ['search --no-floppy --file --set=root /EFI/BOOT/BOOTX64.EFI', 'chainloader ($root)/EFI/BOOT/BOOTX64.EFI', 'boot', 'exit'],
    debianPackage: 'grub-efi-amd64-bin',
  },
  { name: 'off.efi', format: 'x86_64-efi', modules: ['halt'], commands: ['halt'], debianPackage: 'grub-efi-amd64-bin' },
  { name: 'off.lkrn', format: 'i386-pc', modules: ['halt'], commands: ['halt'], head: 'lnxboot.img', debianPackage: 'grub-pc-bin' },
];

/** The arguments of grub-mkimage that make `image` from the commands in `configFile`. */
export function mkimageArguments(image: GrubImage, modulesFolder: string, configFile: string, output: string): string[] {
  return ['-d', `${modulesFolder}/${image.format}`, '-O', image.format, '-o', output, '-c', configFile, '-p', '/', ...image.modules];
}
