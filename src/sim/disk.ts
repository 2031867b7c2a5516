/** A simulated disk: what is on it, and the log of everything that was ever written to it, kept by the simulator's process. */
import { markerBytes } from '../contract/metadata.ts';
import type { DiskModel } from './machine-model.ts';

export interface DiskWrite {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly bootId: string;
  /** The operation of the marker that the plan began with; 0 before one. */
  readonly operation: number;
  readonly disk: string;
  /** `marker started`, `marker done`, `gpt`, `filesystem`, `unpack`, `file`, `grub`, `erase`, `cloud-init`. */
  readonly what: string;
  readonly detail: string;
}

export interface Partition {
  readonly number: number;
  readonly type: string;
  readonly size: string;
}

export interface FileSystem {
  readonly type: string;
  readonly label: string;
  readonly uuid: string;
  readonly files: Map<string, { readonly mode: string; readonly content: Buffer }>;
  /** The digest of the image that was unpacked whole into it. */
  tree: string | undefined;
}

/** Which boot writes, for the log. */
export interface Writer {
  readonly bootId: string;
}

export class SimulatedDisk {
  readonly model: DiskModel;
  readonly log: DiskWrite[] = [];
  partitions: Partition[] = [];
  readonly filesystems = new Map<number, FileSystem>();
  /** Text at LBA 4095, empty when there is none. */
  marker = '';
  /** Boot code in the MBR and the core in `bios_grub`. */
  bootSector = false;
  #operation = 0;
  /** Signatures of somebody else's data. */
  readonly #foreign: string[] = [];

  constructor(model: DiskModel) {
    this.model = model;
  }

  /** Somebody else's file system on the bare disk, as if it came from another machine. */
  plantForeignData(): void {
    this.#foreign.push('xfs');
  }

  /** What `wipefs` sees on the disk and its partitions: lower case, once each, sorted. */
  signatures(): string[] {
    const table = this.partitions.length > 0 ? ['gpt', 'pmbr'] : [];
    const inside = [...this.filesystems.values()].map((one) => one.type);
    return [...new Set([...this.#foreign, ...table, ...inside])].toSorted();
  }

  /** One disk of a claim or spend (docs/agent-protocol.md). */
  line(): string {
    const { name, serial, wwn, size, blockSize, model } = this.model;
    const fields = {
      name,
      serial,
      wwn,
      size: String(size),
      block_size: String(blockSize),
      model,
      signatures: this.signatures().join(','),
      marker: this.marker,
    };
    // Percent-encoded as the agent's sh does it, where URLSearchParams would write a space as `+`.
    return Object.entries(fields)
      .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
      .join('&');
  }

  /** @throws Error when the record does not fit its sector. */
  writeMarker(writer: Writer, text: string): void {
    if (Buffer.byteLength(text) > markerBytes) throw new Error(`a marker of ${Buffer.byteLength(text)} bytes`);
    const [, , operation, , phase] = text.split(' ');
    this.#operation = Number(operation ?? 0);
    this.marker = text;
    this.#note(writer, `marker ${phase ?? ''}`, text);
  }

  /** A new table: the file systems and boot code of the old one are gone; the marker's sector is not touched. */
  partition(writer: Writer, partitions: readonly Partition[]): void {
    this.#foreign.length = 0;
    this.filesystems.clear();
    this.bootSector = false;
    this.partitions = [...partitions];
    this.#note(writer, 'gpt', partitions.map((part) => `${part.number}:${part.type}:${part.size}`).join(' '));
  }

  format(writer: Writer, number: number, type: string, label: string, uuid: string): void {
    this.filesystems.set(number, { type, label, uuid, files: new Map(), tree: undefined });
    this.#note(writer, 'filesystem', `${number} ${type} ${label} ${uuid}`);
  }

  writeTree(writer: Writer, filesystem: FileSystem, sha256: string, bytes: number): void {
    filesystem.tree = sha256;
    this.#note(writer, 'unpack', `${sha256} ${bytes} bytes`);
  }

  writeFile(writer: Writer, filesystem: FileSystem, path: string, mode: string, content: Buffer): void {
    filesystem.files.set(path, { mode, content });
    this.#note(writer, 'file', `${path} ${content.length} bytes`);
  }

  installBootCode(writer: Writer): void {
    this.bootSector = true;
    this.#note(writer, 'grub', 'boot sector and core image');
  }

  erase(writer: Writer): void {
    this.#foreign.length = 0;
    this.partitions = [];
    this.filesystems.clear();
    this.marker = '';
    this.bootSector = false;
    this.#note(writer, 'erase', 'quick');
    this.#operation = 0;
  }

  /** What the installed system notes of itself. */
  note(writer: Writer, what: string, detail: string): void {
    this.#note(writer, what, detail);
  }

  #note(writer: Writer, what: string, detail: string): void {
    this.log.push({ at: Date.now(), bootId: writer.bootId, operation: this.#operation, disk: this.model.name, what, detail });
  }
}

/** How many deployments were written to the end, by operation. */
export function completedWrites(log: readonly DiskWrite[]): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const write of log) if (write.what === 'marker done') found.set(write.operation, (found.get(write.operation) ?? 0) + 1);
  return found;
}

/** The installed system on a disk. */
export interface InstalledSystem {
  readonly disk: SimulatedDisk;
  readonly root: FileSystem;
  readonly kernel: string;
}

/**
 * Does this disk boot with this firmware, and into what? The way goes as it does on metal: boot code or loader, grub.cfg, kernel, and a root
 * file system of the UUID that the kernel is told.
 * @returns why not, as text.
 */
export function installedSystem(disk: SimulatedDisk, firmware: 'bios' | 'uefi'): InstalledSystem | string {
  if (firmware === 'bios' && !disk.bootSector) return 'no boot code in the boot sector';
  const all = [...disk.filesystems.values()];
  if (firmware === 'uefi' && !all.some((one) => one.type === 'vfat' && one.files.has('/EFI/BOOT/BOOTX64.EFI')))
    return 'no loader on an EFI system partition';
  const config = all.flatMap((one) => one.files.get('/boot/grub/grub.cfg') ?? [])[0]?.content.toString('utf8');
  if (config === undefined) return 'no grub.cfg';
  const kernel = /^\s*linux\s+(.+)$/m.exec(config)?.[1];
  if (kernel === undefined || !/^\s*initrd\s+\S+/m.test(config)) return 'grub.cfg names no kernel and initrd';
  const uuid = /(?:^|\s)root=UUID=(\S+)/.exec(kernel)?.[1];
  const root = all.find((one) => one.uuid === uuid);
  if (root === undefined) return `no root file system with the UUID ${uuid ?? '(none)'}`;
  if (root.tree === undefined) return 'the root file system is empty';
  return { disk, root, kernel };
}
