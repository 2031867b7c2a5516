// A machine with real firmware: QEMU's q35 in software emulation, SeaBIOS with iPXE's ROM or OVMF with its own PXE.
// The process is the power: off means that there is none; a guest that powers off ends it, a guest that reboots does not.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, openSync, closeSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Chassis, ChassisBoot, ChassisPower } from './chassis.ts';
import { Qmp } from './qmp.ts';

export interface QemuMachineSpec {
  readonly name: string;
  readonly firmware: 'bios' | 'uefi';
  readonly mac: string;
  /** SMBIOS system UUID and serial number. */
  readonly uuid: string;
  readonly serial: string;
  readonly diskSerial: string;
  readonly diskMiB: number;
  readonly memoryMiB?: number;
  readonly vcpus?: 1 | 2;
  /** Folder of its disk, serial console and sockets; made when absent. A unix socket's path must stay under 108 bytes. */
  readonly folder: string;
  /** The rack it is in, and the tap there that is its network card. */
  readonly namespace: string;
  readonly tap: string;
  /** The boot order that its owner left it with; ours is network first. */
  readonly firstBoot?: 'network' | 'disk';
}

const ovmfCode = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const ovmfVars = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** What must be installed (Debian package, a file of it) for these machines to run. */
export const qemuPackages: readonly (readonly [string, string])[] = [
  ['qemu-system-x86', '/usr/bin/qemu-system-x86_64'],
  ['seabios', '/usr/share/seabios/bios-256k.bin'],
  ['ipxe-qemu', '/usr/lib/ipxe/qemu/pxe-virtio.rom'],
  ['ovmf', ovmfCode],
];

/** QEMU's arguments for one start, from the boot device that comes first. */
export function qemuArguments(spec: QemuMachineSpec, first: 'network' | 'disk'): string[] {
  const uefi = spec.firmware === 'uefi';
  const [net, disk] = first === 'network' ? [1, 2] : [2, 1];
  return [
    ['-name', spec.name, '-nographic', '-nodefaults', '-vga', 'none', '-M', 'q35', '-accel', 'tcg'],
    ['-m', String(spec.memoryMiB ?? 1024), '-smp', String(spec.vcpus ?? 1)],
    ['-uuid', spec.uuid, '-smbios', `type=1,manufacturer=Muster,product=Test machine,serial=${spec.serial},uuid=${spec.uuid}`],
    // append: what earlier boots said is kept.
    ['-chardev', `file,id=console,path=${consolePath(spec)},append=on`, '-serial', 'chardev:console'],
    ['-qmp', `unix:${qmpPath(spec)},server=on,wait=off`],
    ['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    // Firmware code is shared and read-only; each machine has its own variables.
    uefi ? ['-drive', `if=pflash,format=raw,readonly=on,file=${ovmfCode}`, '-drive', `if=pflash,format=raw,file=${varsPath(spec)}`] : [],
    ['-drive', `if=none,id=disk0,format=raw,file=${diskPath(spec)},cache=unsafe,discard=unmap`],
    ['-device', `virtio-blk-pci,id=blk0,drive=disk0,serial=${spec.diskSerial},bootindex=${disk}`],
    ['-netdev', `tap,id=net0,ifname=${spec.tap},script=no,downscript=no`],
    // Without a ROM file OVMF uses its own PXE; SeaBIOS has none and needs QEMU's iPXE ROM.
    ['-device', `virtio-net-pci,id=nic0,netdev=net0,mac=${spec.mac},bootindex=${net}${uefi ? ',romfile=' : ''}`],
  ].flat();
}

export function consolePath(spec: QemuMachineSpec): string {
  return join(spec.folder, `${spec.name}.console`);
}

export function diskPath(spec: QemuMachineSpec): string {
  return join(spec.folder, `${spec.name}.disk`);
}

function qmpPath(spec: QemuMachineSpec): string {
  return join(spec.folder, `${spec.name}.qmp`);
}

function varsPath(spec: QemuMachineSpec): string {
  return join(spec.folder, `${spec.name}.vars`);
}

/** One machine; `on` starts it and the object must be kept until `off`. */
export class QemuMachine implements Chassis {
  readonly spec: QemuMachineSpec;
  nextBoot: ChassisBoot = 'default';
  /** When it was started, in order (milliseconds), and with which device first. */
  readonly starts: { readonly at: number; readonly first: 'network' | 'disk' }[] = [];
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #qmp: Qmp | undefined;
  /** The order the firmware will find at the next reset. */
  #first: 'network' | 'disk' = 'network';

  constructor(spec: QemuMachineSpec) {
    this.spec = spec;
    mkdirSync(spec.folder, { recursive: true });
    if (!existsSync(diskPath(spec))) {
      closeSync(openSync(diskPath(spec), 'w'));
      truncateSync(diskPath(spec), spec.diskMiB * 1024 * 1024);
    }
    if (spec.firmware === 'uefi' && !existsSync(varsPath(spec))) copyFileSync(ovmfVars, varsPath(spec));
    writeFileSync(consolePath(spec), '');
  }

  power(): ChassisPower {
    return this.#process === undefined ? 'off' : 'on';
  }

  async on(): Promise<void> {
    if (this.#process !== undefined) return;
    const usual = this.spec.firstBoot ?? 'network';
    const first = this.nextBoot === 'default' ? usual : this.nextBoot;
    this.nextBoot = 'default';
    const log = openSync(join(this.spec.folder, `${this.spec.name}.qemu.log`), 'a');
    const args = ['netns', 'exec', this.spec.namespace, 'qemu-system-x86_64', ...qemuArguments(this.spec, first)];
    const child = spawn('ip', args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    this.#first = first;
    this.starts.push({ at: Date.now(), first });
    this.#exited = new Promise((resolve) => {
      const ended = () => {
        if (this.#process === child) this.#process = undefined;
        resolve();
      };
      child.once('exit', ended);
      child.once('error', ended);
    });
    try {
      this.#qmp = await Promise.race([Qmp.connect(qmpPath(this.spec)), this.#exited.then(() => undefined)]);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    if (this.#qmp === undefined) throw new Error(`${this.spec.name} did not start; see its .qemu.log.`);
    // An override holds for one boot. The firmware reads the order at each reset, so put the usual one back right away:
    // this boot's order was fixed when the process started.
    await this.#order(usual);
  }

  async off(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#exited;
    this.#qmp?.close();
  }

  async softOff(): Promise<void> {
    await this.#command('system_powerdown');
  }

  async reset(): Promise<void> {
    if (this.#process === undefined) return;
    const usual = this.spec.firstBoot ?? 'network';
    const first = this.nextBoot === 'default' ? usual : this.nextBoot;
    this.nextBoot = 'default';
    await this.#order(first);
    this.starts.push({ at: Date.now(), first });
    await this.#command('system_reset');
    await this.#order(usual);
  }

  bootOnce(device: ChassisBoot): void {
    this.nextBoot = device;
  }

  /** Resolves when the machine is off, by whatever cause. */
  async whenOff(): Promise<void> {
    await this.#exited;
  }

  async #order(first: 'network' | 'disk'): Promise<void> {
    if (first === this.#first) return;
    this.#first = first;
    const order = first === 'network' ? { nic0: 1, blk0: 2 } : { nic0: 2, blk0: 1 };
    // QEMU refuses an index in use, even a device's own, so one device steps aside.
    await this.#command('qom-set', { path: 'nic0', property: 'bootindex', value: -1 });
    await this.#command('qom-set', { path: 'blk0', property: 'bootindex', value: order.blk0 });
    await this.#command('qom-set', { path: 'nic0', property: 'bootindex', value: order.nic0 });
  }

  async #command(name: string, args?: Record<string, unknown>): Promise<void> {
    try {
      await this.#qmp?.run(name, args);
    } catch (error) {
      // A machine that has just switched itself off needs no command any more.
      if (this.#process !== undefined) throw error;
    }
  }
}
