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

/** `http://10.40.1.2:5240`: where a boot goes on when the server that its script came from has gone. */
type Others = readonly string[];

/** 60 s of asking in vain, then the machine's own disk. */
export const mostTries = 12;
const pause = 5;

/**
 * SeaBIOS and real BIOSes number the first disk 0x80. UEFI `exit` would open the firmware's menu, so a small GRUB finds the disk's own
 * loader; when there is none, `exit 1` makes the firmware try its next boot option.
 */
const localLines: Record<Firmware, (others: Others) => readonly string[]> = {
  bios: () => ['sanboot --no-describe --drive 0x80 || exit', 'exit'],
  uefi: (others) => ['imgfree', `${anywhere('chain --autofree', '/boot/loader/local.efi', others)} || exit 1`, 'exit 1'],
};

/**
 * The same command for the server that the script came from (a path is relative to it), and when that fails for each other process of the
 * cell. A process that is gone refuses the connection at once; a host that is gone costs iPXE about 20 s.
 */
function anywhere(command: string, path: string, others: Others, rest = ''): string {
  for (const base of others) if (!/^http:\/\/[0-9.]+(?::\d+)?$/.test(base)) throw new RangeError(`${base} is no address of a cell`);
  return ['', ...others].map((base) => `${command} ${base}${path}${rest}`).join(' || ');
}

function script(...lines: readonly string[]): string {
  return `#!ipxe\n${lines.join('\n')}\n`;
}

/**
 * The one script that DHCP names: the same for every machine. `netX` is the interface iPXE booted from. Its first address is relative to
 * the server it came from.
 */
export function startScript(others: Others = []): string {
  const asked = '?mac=${netX/mac:hexhyp}&platform=${platform}&uuid=${uuid}&serial=${serial:uristring}&arch=${buildarch}&try=${tries}';
  return script(
    'isset ${tries} || set tries:int32 0',
    ':ask',
    'inc tries',
    `${anywhere('chain --autofree --replace', '/boot/script.ipxe', others, asked)} ||`,
    'echo No boot script (try ${tries})',
    `iseq \${tries} ${mostTries} && goto local ||`,
    `sleep ${pause}`,
    'goto ask',
    ':local',
    'iseq ${platform} efi && goto uefi ||',
    ...localLines.bios(others),
    ':uefi',
    ...localLines.uefi(others),
  );
}

/** What every script does when it cannot go on: wait, and ask again from the start. */
const askAgain = (others: Others) => [
  ':again',
  `sleep ${pause}`,
  'imgfree',
  `${anywhere('chain --autofree --replace', '/boot/start.ipxe', others)} || goto again`,
];

function path(file: BootFile): string {
  if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw new RangeError('a boot file is named by a sha256 digest in lower-case hexadecimal');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(file.name)) throw new RangeError(`boot file name ${JSON.stringify(file.name)} is refused`);
  return `/boot/file/${file.sha256}/${file.name}`;
}

/** Kernel and initrd by digest. @throws RangeError for a name, digest or kernel parameter outside the allow-list. */
export function renderEnvironment({ kernel, initrd, parameters }: Environment, others: Others = []): string {
  // The EFI stub finds the initrd by this name; BIOS kernels ignore it.
  const line = encodeParameters([['initrd', initrd.name], ...parameters]);
  return script(
    'imgfree',
    `${anywhere(`initrd --name ${initrd.name}`, path(initrd), others)} || goto again`,
    `${anywhere(`kernel --name ${kernel.name}`, path(kernel), others, ` ${line}`)} || goto again`,
    'boot || goto again',
    ...askAgain(others),
  );
}

/** The machine's own disk. */
export function renderLocal(firmware: Firmware, others: Others = []): string {
  return script(`echo Booting the local disk`, ...localLines[firmware](others));
}

/** Power off by a tiny GRUB whose only command is `halt` (ACPI on BIOS, ResetSystem on UEFI); if that fails, wait and ask again. */
export function renderOff(firmware: Firmware, others: Others = []): string {
  const halt = anywhere('chain --autofree', firmware === 'uefi' ? '/boot/loader/off.efi' : '/boot/loader/off.lkrn', others);
  return script('echo Nothing to run: powering off', 'imgfree', `${halt} || goto again`, ...askAgain(others));
}

/** Not now: ask again in a few seconds. */
export function renderRetry(others: Others = []): string {
  return script('echo The cell cannot say yet what to boot', 'goto again', ...askAgain(others));
}
