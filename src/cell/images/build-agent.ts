/**
 * `muster image build agent`: the ephemeral environment, from Debian packages of the host's own apt sources: a kernel, an initramfs with
 * the agent, and the loader that boots the local disk on UEFI. Needs no root and no program but apt and dpkg.
 */
import { mkdir, readdir, readFile, copyFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asOnlyBuilder, digestOf, findBuiltImage, publishImage, type BuiltImage } from './built-image.ts';
import { openApt } from './debian-packages.ts';
import { makeGrubImages } from './grub-images.ts';
import { agentEntries, makeInitramfs, programs } from './initramfs.ts';
import { openPackageTree } from './package-tree.ts';
import { BuildError } from './program.ts';

export interface BuildProgress {
  readonly image: string;
  /** What is being done now, for people. */
  readonly step: string;
  /** 0 to 1. */
  readonly done: number;
}

export interface BuildOptions {
  /** The image folder: the catalogue, and private scratch below it. Created when absent. */
  readonly folder: string;
  readonly architecture?: 'amd64';
  /** `cloud` (default): small, for virtual machines; `generic`: for hardware. */
  readonly kernel?: 'cloud' | 'generic';
  /** Ask Debian for newer packages and build again if there are any; otherwise an image of the same recipe is taken as it is. */
  readonly refresh?: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: BuildProgress) => void;
}

const codename = 'bookworm';

const packages = [
  'busybox-static',
  'dash',
  'curl',
  'tar',
  'zstd',
  'util-linux',
  'util-linux-extra',
  'fdisk',
  'e2fsprogs',
  'dosfstools',
  'xfsprogs',
  'efibootmgr',
  'dmidecode',
  'lshw',
  'pci.ids',
  'kexec-tools',
  'dropbear-bin',
  'kmod',
  'grub-common',
  'grub-pc-bin',
  'grub-efi-amd64-bin',
] as const;

/** Kernel and initramfs together: what every network boot downloads. */
export const largestAgent = 40 * 1024 * 1024;

const agentFolder = fileURLToPath(new URL('../../../agent/', import.meta.url));

/**
 * Build the ephemeral environment, or return the one already built.
 * @returns files `boot-kernel`, `boot-initrd` and `local-efi`.
 * @throws {BuildError} when the host lacks a program or source, or the result is larger than {@link largestAgent} (cloud kernel).
 */
export async function buildAgent(options: BuildOptions): Promise<BuiltImage> {
  const { folder, architecture = 'amd64', kernel = 'cloud', signal } = options;
  if (process.arch !== 'x64')
    throw new BuildError(`The agent for ${architecture} is built on a machine of that architecture; this one is ${process.arch}.`);
  const name = 'muster-agent';
  const report = (step: string, done: number) => options.progress?.({ image: name, step, done });
  const recipe = await agentRecipe(kernel);
  const existing = options.refresh ? undefined : await findBuiltImage(folder, { name, architecture, recipe });
  if (existing) return existing;

  return asOnlyBuilder(folder, name, signal, async (scratch) => {
    report('asking Debian for package versions', 0);
    const apt = await openApt(join(folder, `.apt-${codename}-${name}`), codename, signal);
    const metapackage = kernel === 'cloud' ? `linux-image-cloud-${architecture}` : `linux-image-${architecture}`;
    const kernelName = await apt.dependency(metapackage, 'linux-image-');
    const tools = await apt.closure(packages);
    // The kernel's own dependencies (initramfs-tools) are for installing it; only its files are wanted.
    const kernelPackage = (await apt.closure([kernelName])).find((each) => each.name === kernelName);
    if (!kernelPackage) throw new BuildError(`Debian has no package ${kernelName} to download.`);
    const all = [...tools, kernelPackage];
    const key = digestOf({ recipe, packages: all });
    const built = await findBuiltImage(folder, { name, architecture, recipe, ...(options.refresh ? { key } : {}) });
    if (built) return built;

    report(`downloading ${all.length} packages`, 0.1);
    const tree = openPackageTree(join(scratch, 'tree'), architecture, signal);
    const kernelFolder = join(scratch, 'kernel');
    await apt.unpack(tools, tree.folder);
    await apt.unpack([kernelPackage], kernelFolder);
    const kernelVersion = (await readdir(join(kernelFolder, 'lib/modules')))[0];
    if (!kernelVersion) throw new BuildError(`${kernelName} has no modules.`);
    report('making GRUB images', 0.5);
    const grub = await makeGrubImages(tree, join(scratch, 'grub'));
    report('making the initramfs', 0.6);
    const initramfs = await makeInitramfs({ tree, kernelFolder, kernelVersion, agentFolder, grub });
    signal?.throwIfAborted();

    const out = join(scratch, 'out');
    await mkdir(out);
    await copyFile(join(kernelFolder, 'boot', `vmlinuz-${kernelVersion}`), join(out, 'kernel'));
    await writeFile(join(out, 'initrd'), initramfs);
    await writeFile(join(out, 'local.efi'), grub.local);
    const size = (await stat(join(out, 'kernel'))).size + initramfs.byteLength;
    if (kernel === 'cloud' && size > largestAgent)
      throw new BuildError(`Kernel and initramfs have ${size} bytes, more than ${largestAgent}.`);
    report('putting it into the catalogue', 0.95);
    const image = await publishImage(
      folder,
      { name, architecture, recipe, key, packages: all, facts: { kernel: kernelVersion, debian: codename } },
      [
        { ftype: 'boot-kernel', path: join(out, 'kernel') },
        { ftype: 'boot-initrd', path: join(out, 'initrd') },
        { ftype: 'local-efi', path: join(out, 'local.efi') },
      ],
    );
    report('built', 1);
    return image;
  });
}

/** Digest of everything that decides the bytes but the packages: the agent's files, these builders' choices, the compressor. */
async function agentRecipe(kernel: string): Promise<string> {
  const agent = (await agentEntries(agentFolder)).map(({ path, mode, content }) => [
    path,
    mode,
    content.kind === 'file' ? Buffer.from(content.bytes).toString('base64') : '',
  ]);
  const sources = await Promise.all(
    ['build-agent.ts', 'initramfs.ts', 'grub-images.ts', 'package-tree.ts', 'cpio.ts'].map((name) =>
      readFile(new URL(name, import.meta.url), 'utf8'),
    ),
  );
  return digestOf({ image: 'muster-agent', kernel, codename, packages, programs, agent, sources, zstd: process.versions['zstd'] ?? '' });
}
