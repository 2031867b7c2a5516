/**
 * Deploying and erasing, planned as data (architecture §6.5): pure functions from the machine's model to typed steps, shown by `op=plan`
 * before anything is written and rendered to POSIX sh for the agent by `plan-script.ts`.
 */
import { identityOf, type Installation, type InstalledDisk, type InstalledFilesystem, type TargetDisk } from '../storage/installation.ts';

export interface DeploymentModel {
  readonly systemId: string;
  readonly hostname: string;
  readonly fqdn: string;
  readonly operationId: number;
  readonly image: {
    readonly sha256: string;
    readonly url: string;
    readonly kernel: string;
    readonly initrd: string;
    readonly reports: boolean;
  };
  readonly kernelParameters: string;
  /** What cloud-init is told of the network, and where it reads it; left out, it asks DHCP on the first card. */
  readonly network?: { readonly path: string; readonly content: string };
  /** What cloud-init needs to find this cell as the system: written to the disk, never served by nonce. */
  readonly seed: {
    readonly metadataUrl: string;
    readonly statusUrl: string;
    readonly consumerKey: string;
    readonly tokenKey: string;
    readonly tokenSecret: string;
    /** Names that only the system's own hosts file knows: the cell's, with each of its addresses. Empty where the cell has one address. */
    readonly hosts: readonly { readonly address: string; readonly name: string }[];
  };
}

export type DiskStep =
  | { readonly step: 'disk'; readonly alias: string; readonly match: string; readonly size: number }
  | {
      readonly step: 'marker';
      readonly alias: string;
      readonly phase: 'started' | 'done';
      readonly systemId: string;
      readonly operation: number;
      readonly purpose: 'deploy' | 'erase';
      readonly digest: string;
    }
  | {
      readonly step: 'gpt';
      readonly alias: string;
      readonly partitions: InstalledDisk['partitions'];
    }
  | {
      readonly step: 'filesystem';
      readonly alias: string;
      readonly partition: number;
      readonly type: InstalledFilesystem['type'];
      readonly label: string;
      readonly uuid: string;
    }
  | { readonly step: 'mount_partition'; readonly alias: string; readonly partition: number; readonly path: string }
  | { readonly step: 'unpack'; readonly url: string; readonly sha256: string; readonly format: 'tar.zst'; readonly path: string }
  | { readonly step: 'write_file'; readonly path: string; readonly mode: string; readonly content: string }
  | { readonly step: 'grub'; readonly alias: string; readonly partition: number; readonly config: string }
  | { readonly step: 'boot_order'; readonly order: 'network-first' }
  | { readonly step: 'unmount'; readonly path: string }
  | { readonly step: 'erase'; readonly alias: string; readonly how: 'quick' };

/** The disks as they are to be, one Debian tree on them that boots under BIOS and UEFI, and what it is told of itself. */
export function planDeployment(model: DeploymentModel, { disks, filesystems, specials }: Installation): DiskStep[] {
  const marker = {
    step: 'marker',
    alias: 'target',
    systemId: model.systemId,
    operation: model.operationId,
    purpose: 'deploy',
    digest: model.image.sha256,
  } as const;
  const mounted = filesystems.flatMap((one) => (one.mount === null || one.type === 'swap' ? [] : [{ ...one, path: one.mount.path }]));
  // Outer before inner. The ESP comes behind the tree: no tree has files for it, and FAT could not take their owners.
  const mounts = mounted.toSorted((a, b) => (a.path < b.path ? -1 : 1)).filter((one) => one.type !== 'vfat');
  const fats = mounted.filter((one) => one.type === 'vfat');
  const boot = mounts.find((one) => one.path === '/boot') ?? mounts[0];
  const mount = (one: (typeof mounted)[number]): DiskStep => ({
    step: 'mount_partition',
    alias: one.alias,
    partition: one.partition,
    path: one.path === '/' ? '/target' : `/target${one.path}`,
  });
  return [
    ...disks.map(({ alias, disk }): DiskStep => ({ step: 'disk', alias, match: identityOf(disk) ?? '', size: disk.size })),
    // Before anything else is changed: from here on the disk says whose half-written work it holds.
    { ...marker, phase: 'started' },
    ...disks.flatMap(({ alias, partitions }): DiskStep[] => (partitions.length === 0 ? [] : [{ step: 'gpt', alias, partitions }])),
    ...filesystems.map(({ alias, partition, type, label, uuid }): DiskStep => ({
      step: 'filesystem',
      alias,
      partition,
      type,
      label,
      uuid,
    })),
    ...mounts.map(mount),
    { step: 'unpack', url: model.image.url, sha256: model.image.sha256, format: 'tar.zst', path: '/target' },
    ...fats.map(mount),
    { step: 'write_file', path: '/target/etc/fstab', mode: '0644', content: fstab(filesystems, specials) },
    { step: 'write_file', path: '/target/etc/hostname', mode: '0644', content: `${model.hostname}\n` },
    ...(model.seed.hosts.length === 0
      ? []
      : [{ step: 'write_file', path: '/target/etc/hosts', mode: '0644', content: hostsFile(model) } as const]),
    { step: 'write_file', path: '/target/etc/cloud/cloud.cfg.d/90_muster.cfg', mode: '0600', content: cloudConfig(model) },
    ...(model.network === undefined
      ? []
      : [{ step: 'write_file', path: `/target${model.network.path}`, mode: '0600', content: model.network.content } as const]),
    {
      step: 'grub',
      alias: 'target',
      partition: boot?.partition ?? 0,
      config: grubConfig(mounts[0]?.uuid ?? '', boot?.path === '/boot', model),
    },
    { step: 'boot_order', order: 'network-first' },
    { step: 'unmount', path: '/target' },
    { ...marker, phase: 'done' },
  ];
}

/** Quick erase of every disk that the machine's model names. */
export function planErase(disks: readonly TargetDisk[]): DiskStep[] {
  return disks.flatMap((disk, index): DiskStep[] => {
    const match = identityOf(disk);
    if (match === undefined) return [];
    const alias = `disk${index}`;
    return [
      { step: 'disk', alias, match, size: disk.size },
      { step: 'erase', alias, how: 'quick' },
    ];
  });
}

/** Options of a mount that nobody gave options for. */
function usualOptions({ type, mount }: InstalledFilesystem): string {
  if (type === 'swap') return 'sw';
  if (mount?.path === '/') return 'defaults,errors=remount-ro';
  return mount?.path === '/boot/efi' ? 'umask=0077,nofail' : 'defaults';
}

/** The root first, then by path, so that outer mounts come before inner ones. */
function fstab(filesystems: readonly InstalledFilesystem[], specials: Installation['specials']): string {
  const onDisks = filesystems.flatMap((one) => {
    if (one.mount === null) return [];
    const pass = one.type === 'swap' || one.type === 'xfs' ? 0 : one.mount.path === '/' ? 1 : 2;
    const path = one.type === 'swap' ? 'none' : one.mount.path;
    return [{ path, line: `UUID=${one.uuid} ${path} ${one.type} ${one.mount.options ?? usualOptions(one)} 0 ${pass}` }];
  });
  const others = specials.map(({ type, path, options }) => ({ path, line: `${type} ${path} ${type} ${options ?? 'defaults'} 0 0` }));
  const lines = [...onDisks, ...others].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return lines.map(({ line }) => `${line}\n`).join('');
}

/** A name on several lines has all their addresses (`multi on` is Debian's host.conf and glibc's default), and they are tried in turn. */
function hostsFile(model: DeploymentModel): string {
  return [
    '127.0.0.1 localhost',
    `127.0.1.1 ${model.fqdn} ${model.hostname}`,
    '::1 localhost ip6-localhost ip6-loopback',
    'ff02::1 ip6-allnodes',
    'ff02::2 ip6-allrouters',
    ...model.seed.hosts.map(({ address, name }) => `${address} ${name}`),
    '',
  ].join('\n');
}

/** `apart`: /boot is a file system of its own, and files are named from there. */
function grubConfig(root: string, apart: boolean, model: DeploymentModel): string {
  const at = (path: string) => (apart ? path.replace(/^\/boot(?=\/)/, '') : path);
  return [
    'set timeout=0',
    'serial --unit=0 --speed=115200',
    'terminal_input console serial',
    'terminal_output console serial',
    `linux ${at(model.image.kernel)} root=UUID=${root} ro ${model.kernelParameters}`,
    `initrd ${at(model.image.initrd)}`,
    'boot',
    '',
  ].join('\n');
}

function cloudConfig(model: DeploymentModel): string {
  const { metadataUrl, statusUrl, consumerKey, tokenKey, tokenSecret } = model.seed;
  const keys = { consumer_key: consumerKey, token_key: tokenKey, token_secret: tokenSecret };
  // JSON is YAML: no renderer of our own, nothing to escape by hand. But a line a key: ds-identify (a shell script of cloud-init's that
  // decides whether cloud-init runs at all) reads `datasource_list: [..]` only so, and switches cloud-init off when it finds no source.
  const config = {
    datasource_list: ['MAAS'],
    datasource: { MAAS: { metadata_url: metadataUrl, consumer_secret: '', ...keys } },
    reporting: { muster: { type: 'webhook', endpoint: statusUrl, ...keys } },
    // `true` would write the file anew from a template, without the cell's addresses in it; `localhost` keeps what is there.
    manage_etc_hosts: model.seed.hosts.length === 0 ? true : 'localhost',
    preserve_hostname: false,
    apt: { preserve_sources_list: true },
  };
  const lines = Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  return `#cloud-config\n${lines.join('')}`;
}
