/** Puts the agent's initramfs together: programs with their libraries, kernel modules, GRUB images, the agent itself. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { cpioArchive, type CpioEntry } from './cpio.ts';
import type { GrubImages } from './grub-images.ts';
import type { PackageTree } from './package-tree.ts';

/** The programs of the ephemeral environment that busybox does not have, or not well enough. */
export const programs = [
  'dash',
  'curl',
  'tar',
  'zstd',
  'wipefs',
  'blkid',
  'sfdisk',
  'lsblk',
  'blkdiscard',
  'blockdev',
  'mkswap',
  'mkfs.ext4',
  'mkfs.vfat',
  'mkfs.xfs',
  'e2fsck',
  'efibootmgr',
  'dmidecode',
  'lshw',
  'kexec',
  'dropbear',
] as const;

export interface InitramfsParts {
  readonly tree: PackageTree;
  /** Root of the unpacked kernel package, and its version (`6.1.0-…-cloud-amd64`). */
  readonly kernelFolder: string;
  readonly kernelVersion: string;
  readonly agentFolder: string;
  readonly grub: GrubImages;
}

const small: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/ash\n',
  'etc/group': 'root:x:0:\n',
  'etc/shells': '/bin/sh\n/bin/ash\n',
  'etc/hosts': '127.0.0.1 localhost\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** The initramfs: a zstd-compressed cpio. The same parts give the same bytes. */
export async function makeInitramfs(parts: InitramfsParts): Promise<Buffer> {
  const text = (path: string, content: string): CpioEntry => file(path, Buffer.from(content), 0o644);
  const entries: CpioEntry[] = [
    ...(await parts.tree.take(programs)),
    file('bin/busybox', await readFile(join(parts.tree.folder, 'bin/busybox')), 0o755),
    // dash, because Debian's busybox sh runs its own applets whatever PATH says: its tar instead of GNU tar.
    { path: 'bin/sh', mode: 0o777, content: { kind: 'link', to: '../usr/bin/dash' } },
    ...Object.entries(small).map(([path, content]) => text(path, content)),
    // Names of PCI vendors and devices, for lshw and the inventory: 0.3 MB of the compressed image.
    file('usr/share/misc/pci.ids', await readFile(join(parts.tree.folder, 'usr/share/misc/pci.ids')), 0o644),
    ...(await moduleEntries(parts)),
    ...(await agentEntries(parts.agentFolder)),
    file('muster/grub/boot.img', parts.grub.boot, 0o644),
    file('muster/grub/core.img', parts.grub.core, 0o644),
    file('muster/grub/BOOTX64.EFI', parts.grub.disk, 0o644),
  ];
  // Level 12: 1.6 s for 15.0 MB; level 19 takes 18 s for 13.3 MB.
  return promisify(zstdCompress)(cpioArchive(entries), {
    params: { [constants.ZSTD_c_compressionLevel]: 12, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

/** The agent's files as they lie in agent/: init at the root, the others in /muster. */
export async function agentEntries(folder: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const bytes = await readFile(join(folder, name));
    const mode = bytes.subarray(0, 2).toString('latin1') === '#!' ? 0o755 : 0o644;
    entries.push(file(name === 'init' ? 'init' : `muster/${name}`, bytes, mode));
  }
  return entries;
}

/** Names of agent/modules, without the word that says when to load them. */
export function parseModuleList(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/^load /, ''));
}

/** modules.dep: `path: needed needed…`. The wanted modules (names with - or _) and everything they need, as paths. */
export function closeModules(dep: string, wanted: readonly string[]): string[] {
  const needs = new Map(
    dep
      .split('\n')
      .filter((line) => line.includes(':'))
      .map(
        (line) =>
          [
            line.slice(0, line.indexOf(':')),
            line
              .slice(line.indexOf(':') + 1)
              .trim()
              .split(' '),
          ] as const,
      ),
  );
  const paths = new Map([...needs.keys()].map((path) => [moduleName(path), path] as const));
  const found = new Set<string>();
  for (const name of wanted) {
    const path = paths.get(name.replaceAll('-', '_'));
    if (path) for (const each of [path, ...(needs.get(path) ?? [])]) if (each !== '') found.add(each);
  }
  return [...found].sort();
}

function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

async function moduleEntries(parts: InitramfsParts): Promise<CpioEntry[]> {
  const { kernelFolder, kernelVersion, tree } = parts;
  const from = join(kernelFolder, 'lib/modules', kernelVersion);
  await tree.run('kmod', ['-b', kernelFolder, kernelVersion], 'depmod');
  const wanted = parseModuleList(await readFile(join(parts.agentFolder, 'modules'), 'utf8'));
  const chosen = closeModules(await readFile(join(from, 'modules.dep'), 'utf8'), wanted);
  const names = new Set(chosen.map(moduleName));
  const at = `lib/modules/${kernelVersion}`;
  const entries = await Promise.all(chosen.map(async (path) => file(`${at}/${path}`, await readFile(join(from, path)), 0o644)));
  const kept = async (name: string, keep: (line: string) => boolean) =>
    file(
      `${at}/${name}`,
      Buffer.from(
        (await readFile(join(from, name), 'utf8'))
          .split('\n')
          .filter((line) => line !== '' && keep(line))
          .map((line) => `${line}\n`)
          .join(''),
      ),
      0o644,
    );
  return [
    ...entries,
    await kept('modules.dep', (line) => names.has(moduleName(line.slice(0, line.indexOf(':'))))),
    await kept('modules.alias', (line) => names.has((line.split(' ').at(-1) ?? '').replaceAll('-', '_'))),
    await kept('modules.builtin', () => true),
  ];
}

function file(path: string, bytes: Uint8Array, mode: number): CpioEntry {
  return { path, mode, content: { kind: 'file', bytes } };
}
