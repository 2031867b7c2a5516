/**
 * Boot answers as iPXE scripts. Pure renderers: constants, digests and allow-listed kernel parameters; nothing a machine said is
 * written into a script except a MAC address that has been parsed. Every script ends by itself: no way leads into an iPXE shell.
 * Debian's iPXE is of 2019: no `poweroff`, no https.
 */
import type { Firmware } from './boot-asker.ts';
import { encodeParameters, type KernelParameter } from './kernel-parameters.ts';

export interface BootFile {
  readonly sha256: string;
  readonly name: string;
}

export interface Environment {
  readonly kernel: BootFile;
  readonly initrd: BootFile;
  readonly parameters: readonly KernelParameter[];
}

/** 60 s of asking in vain, then the machine's own disk. */
export const mostTries = 12;
const pause = 5;

/**
 * SeaBIOS and real BIOSes number the first disk 0x80. UEFI `exit` would open the firmware's menu, so a small GRUB finds the disk's own
 * loader; when there is none, `exit 1` makes the firmware try its next boot option.
 */
const localLines: Record<Firmware, readonly string[]> = {
  bios: ['sanboot --no-describe --drive 0x80 || exit', 'exit'],
  uefi: ['imgfree', 'chain --autofree /boot/loader/local.efi || exit 1', 'exit 1'],
};

function script(...lines: readonly string[]): string {
  return `#!ipxe\n${lines.join('\n')}\n`;
}

/**
 * The one script that DHCP names: the same for every machine. `netX` is the interface iPXE booted from. The addresses are relative to
 * the server it came from, so the script says nothing about the cell either.
 */
export const startScript = script(
  'isset ${tries} || set tries:int32 0',
  ':ask',
  'inc tries',
  'chain --autofree --replace /boot/script.ipxe?mac=${netX/mac:hexhyp}&platform=${platform}&uuid=${uuid}&serial=${serial:uristring}&arch=${buildarch}&try=${tries} ||',
  'echo No boot script (try ${tries})',
  `iseq \${tries} ${mostTries} && goto local ||`,
  `sleep ${pause}`,
  'goto ask',
  ':local',
  'iseq ${platform} efi && goto uefi ||',
  ...localLines.bios,
  ':uefi',
  ...localLines.uefi,
);

/** What every script does when it cannot go on: wait, and ask again from the start. */
const askAgain = [':again', `sleep ${pause}`, 'imgfree', 'chain --autofree --replace /boot/start.ipxe || goto again'];

function path(file: BootFile): string {
  if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw new RangeError('a boot file is named by a sha256 digest in lower-case hexadecimal');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(file.name)) throw new RangeError(`boot file name ${JSON.stringify(file.name)} is refused`);
  return `/boot/file/${file.sha256}/${file.name}`;
}

/** Kernel and initrd by digest. @throws RangeError for a name, digest or kernel parameter outside the allow-list. */
export function renderEnvironment({ kernel, initrd, parameters }: Environment): string {
  // The EFI stub finds the initrd by this name; BIOS kernels ignore it.
  const line = encodeParameters([['initrd', initrd.name], ...parameters]);
  return script(
    'imgfree',
    `initrd --name ${initrd.name} ${path(initrd)} || goto again`,
    `kernel --name ${kernel.name} ${path(kernel)} ${line} || goto again`,
    'boot || goto again',
    ...askAgain,
  );
}

/** The machine's own disk. */
export function renderLocal(firmware: Firmware): string {
  return script(`echo Booting the local disk`, ...localLines[firmware]);
}

/** Power off by a tiny GRUB whose only command is `halt` (ACPI on BIOS, ResetSystem on UEFI); if that fails, wait and ask again. */
export function renderOff(firmware: Firmware): string {
  const halt =
    firmware === 'uefi' ? 'chain --autofree /boot/loader/off.efi || goto again' : 'chain --autofree /boot/loader/off.lkrn || goto again';
  return script('echo Nothing to run: powering off', 'imgfree', halt, ...askAgain);
}

/** Not now: ask again in a few seconds. */
export function renderRetry(): string {
  return script('echo The cell cannot say yet what to boot', 'goto again', ...askAgain);
}
