/**
 * Deploying and erasing, planned as data (architecture §6.5): pure functions from the machine's model to typed steps, shown by `op=plan`
 * before anything is written and rendered to POSIX sh for the agent by `plan-script.ts`.
 */
import { createHash } from 'node:crypto';

export interface TargetDisk {
  readonly id: number;
  readonly name: string;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly size: number;
}

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
  readonly disks: readonly TargetDisk[];
  readonly bootDiskId: number | null;
  readonly kernelParameters: string;
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
      readonly partitions: readonly { readonly number: number; readonly type: 'bios_grub' | 'esp' | 'root'; readonly size: string }[];
    }
  | {
      readonly step: 'filesystem';
      readonly alias: string;
      readonly partition: number;
      readonly type: 'ext4' | 'vfat';
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

/** The smallest disk that the flat layout fits: 512 MiB for the ESP and 1.5 GiB for a root filesystem. */
export const smallestDisk = 2 * 1024 ** 3;

/**
 * The disk that is installed: the boot disk if it is named, else the first that is big enough.
 * Undefined when none can be told from the others by serial or WWN: disks are never named by /dev/sdX.
 */
export function chooseTarget(disks: readonly TargetDisk[], bootDiskId: number | null): TargetDisk | undefined {
  const named = disks.find((disk) => disk.id === bootDiskId);
  const target = named ?? disks.find((disk) => disk.size >= smallestDisk && identityOf(disk) !== undefined);
  return target && identityOf(target) !== undefined && target.size >= smallestDisk ? target : undefined;
}

/** What the agent finds a disk by: WWN before serial. */
export function identityOf(disk: Pick<TargetDisk, 'serial' | 'wwn'>): string | undefined {
  return disk.wwn || disk.serial || undefined;
}

/** Flat layout for both firmwares: bios_grub, ESP, ext4 root (one Debian tree boots under BIOS and UEFI). */
export function planDeployment(model: DeploymentModel, target: TargetDisk): DiskStep[] {
  const marker = {
    step: 'marker',
    alias: 'target',
    systemId: model.systemId,
    operation: model.operationId,
    purpose: 'deploy',
    digest: model.image.sha256,
  } as const;
  const root = filesystemUuid(model.operationId, target.id, 3);
  const esp = vfatUuid(model.operationId, target.id);
  return [
    { step: 'disk', alias: 'target', match: identityOf(target) ?? '', size: target.size },
    // Before anything else is changed: from here on the disk says whose half-written work it holds.
    { ...marker, phase: 'started' },
    {
      step: 'gpt',
      alias: 'target',
      partitions: [
        { number: 1, type: 'bios_grub', size: '1MiB' },
        { number: 2, type: 'esp', size: '512MiB' },
        { number: 3, type: 'root', size: 'rest' },
      ],
    },
    { step: 'filesystem', alias: 'target', partition: 2, type: 'vfat', label: 'ESP', uuid: esp },
    { step: 'filesystem', alias: 'target', partition: 3, type: 'ext4', label: 'root', uuid: root },
    { step: 'mount_partition', alias: 'target', partition: 3, path: '/target' },
    { step: 'unpack', url: model.image.url, sha256: model.image.sha256, format: 'tar.zst', path: '/target' },
    { step: 'mount_partition', alias: 'target', partition: 2, path: '/target/boot/efi' },
    { step: 'write_file', path: '/target/etc/fstab', mode: '0644', content: fstab(root, esp) },
    { step: 'write_file', path: '/target/etc/hostname', mode: '0644', content: `${model.hostname}\n` },
    ...(model.seed.hosts.length === 0
      ? []
      : [{ step: 'write_file', path: '/target/etc/hosts', mode: '0644', content: hostsFile(model) } as const]),
    { step: 'write_file', path: '/target/etc/cloud/cloud.cfg.d/90_muster.cfg', mode: '0600', content: cloudConfig(model) },
    { step: 'grub', alias: 'target', partition: 3, config: grubConfig(root, model) },
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

function fstab(root: string, esp: string): string {
  return `UUID=${root} / ext4 defaults,errors=remount-ro 0 1\nUUID=${esp} /boot/efi vfat umask=0077,nofail 0 2\n`;
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

function grubConfig(root: string, model: DeploymentModel): string {
  return [
    'set timeout=0',
    'serial --unit=0 --speed=115200',
    'terminal_input console serial',
    'terminal_output console serial',
    `linux ${model.image.kernel} root=UUID=${root} ro ${model.kernelParameters}`,
    `initrd ${model.image.initrd}`,
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

/** A UUID (RFC 9562 version 8) that is the same each time this operation is planned, so that an interrupted write may go on. */
function filesystemUuid(operation: number, disk: number, partition: number): string {
  const hex = createHash('sha256').update(`${operation} ${disk} ${partition}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
}

/** FAT has 32 bits of volume id, written `XXXX-XXXX`. */
function vfatUuid(operation: number, disk: number): string {
  const hex = ((operation * 31 + disk) % 2 ** 32).toString(16).padStart(8, '0').toUpperCase();
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
