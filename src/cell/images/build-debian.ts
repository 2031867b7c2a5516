/**
 * `muster image build debian-12`: a tree of Debian 12 with its kernel and cloud-init, as tar.zst, by mmdebstrap from the host's own apt
 * sources. The same tree boots under BIOS and UEFI: the installer brings the boot loader.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { constants, createZstdCompress } from 'node:zlib';
import type { BuildOptions } from './build-agent.ts';
import { asOnlyBuilder, digestOf, findBuiltImage, publishImage, type BuiltImage } from './built-image.ts';
import { openApt } from './debian-packages.ts';
import { BuildError, runProgram } from './program.ts';

const codename = 'bookworm';

/**
 * netplan renders what cloud-init is told of the network, systemd-networkd carries it out; no libpam-systemd, so that a login starts no
 * session manager; no update-grub, which would fight with the installer's boot loader; usr-is-merged in the place of usrmerge, which
 * brings 50 MB of Perl.
 */
const packages = [
  'usr-is-merged',
  'systemd-sysv',
  'udev',
  'dbus',
  'cloud-init',
  'netplan.io',
  'systemd-resolved',
  'systemd-timesyncd',
  'openssh-server',
  'sudo',
  'iproute2',
  'iputils-ping',
  'netbase',
  'ca-certificates',
  'e2fsprogs',
  'dosfstools',
  'fdisk',
  'initramfs-tools',
  'zstd',
  'kmod',
  'procps',
  'less',
  'nano',
] as const;

const excluded = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/doc/*', '/usr/share/info/*', '/usr/share/lintian/*'];

const hooks = fileURLToPath(new URL('./debian-12/', import.meta.url));

/**
 * Build the Debian 12 tree, or return the one already built.
 * @returns one file `root-tar.zst`; facts `kernel` and `initrd` are their paths in the tree, `cloud_init` is `yes`.
 * @throws {BuildError} when the host lacks mmdebstrap or Debian 12 sources, or mmdebstrap fails.
 */
export async function buildDebian12(options: BuildOptions): Promise<BuiltImage> {
  const { folder, architecture = 'amd64', kernel = 'cloud', signal } = options;
  if (process.arch !== 'x64')
    throw new BuildError(`Debian for ${architecture} is built on a machine of that architecture; this one is ${process.arch}.`);
  const name = 'debian-12';
  const report = (step: string, done: number) => options.progress?.({ image: name, step, done });
  const metapackage = kernel === 'cloud' ? `linux-image-cloud-${architecture}` : `linux-image-${architecture}`;
  const include = [...packages, metapackage];
  const recipe = await debianRecipe(include);
  const existing = options.refresh ? undefined : await findBuiltImage(folder, { name, architecture, recipe });
  if (existing) return existing;

  return asOnlyBuilder(folder, name, signal, async (scratch) => {
    report('asking Debian for package versions', 0);
    const apt = await openApt(join(folder, `.apt-${codename}-${name}`), codename, signal);
    const all = await apt.closure([...include, 'apt', '?essential', '?priority(required)']);
    const key = digestOf({ recipe, packages: all });
    const built = await findBuiltImage(folder, { name, architecture, recipe, ...(options.refresh ? { key } : {}) });
    if (built) return built;

    const out = join(scratch, 'out');
    await mkdir(out);
    const tree = join(out, 'tree.tar.zst');
    report(`installing ${all.length} packages`, 0.05);
    let line = 0;
    await runProgram('mmdebstrap', mmdebstrapArguments(include, apt.sourcesFile), {
      signal,
      // With SOURCE_DATE_EPOCH, Python's compiled files would be checked by hash of their source at every import (PEP 552), and sources
      // would get another time than the compiled files remember.
      env: { SOURCE_DATE_EPOCH: undefined, TMPDIR: scratch },
      onLine: (text) => {
        // About 25 lines of its own ("I: …") in a run of 45 s.
        if (text.startsWith('I: ')) report(text.slice(3), Math.min(0.9, (line += 1) / 20));
      },
      onStdout: (stdout) => compress(stdout, tree),
    });
    report('putting it into the catalogue', 0.95);
    const facts = { kernel: '/boot/vmlinuz', initrd: '/boot/initrd.img', cloud_init: 'yes', debian: codename, user: 'debian' };
    const image = await publishImage(folder, { name, architecture, recipe, key, packages: all, facts }, [
      { ftype: 'root-tar.zst', path: tree },
    ]);
    report('built', 1);
    return image;
  });
}

/** The command line, as root in a chroot, else in a user namespace. */
export function mmdebstrapArguments(include: readonly string[], sourcesFile: string, isRoot = process.getuid?.() === 0): string[] {
  return [
    `--mode=${isRoot ? 'root' : 'unshare'}`,
    '--variant=minbase',
    '--format=tar',
    `--include=${include.join(',')}`,
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    `--setup-hook=${join(hooks, 'setup-hook')}`,
    `--customize-hook=${join(hooks, 'customize-hook')}`,
    codename,
    '-',
    sourcesFile,
  ];
}

/** One worker: with two, Node 24.21's stream pushes after its end (ERR_STREAM_PUSH_AFTER_EOF). */
async function compress(stdout: Readable, path: string): Promise<void> {
  const params = { [constants.ZSTD_c_compressionLevel]: 9, [constants.ZSTD_c_checksumFlag]: 1 };
  await pipeline(stdout, createZstdCompress({ params }), createWriteStream(path));
}

async function debianRecipe(include: readonly string[]): Promise<string> {
  const texts = await Promise.all(['setup-hook', 'customize-hook'].map((name) => readFile(join(hooks, name), 'utf8')));
  return digestOf({ image: 'debian-12', codename, include, excluded, texts, builder: await readFile(new URL(import.meta.url), 'utf8') });
}
