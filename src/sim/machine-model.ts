/** What a simulated machine is made of: a pure function of the fleet's seed and the machine's number. */
import type { Inventory } from '../contract/inventory.ts';
import { cardAddress, devicesOf, diskAddress } from './lshw.ts';
import { createRandom, type Random } from './random.ts';

export type Firmware = Inventory['firmware'];

export interface DiskModel {
  /** The kernel's name: `sda`, `nvme0n1`. */
  readonly name: string;
  readonly model: string;
  readonly serial: string;
  readonly wwn: string;
  /** Bytes. */
  readonly size: number;
  readonly blockSize: 512 | 4096;
  readonly rotational: boolean;
}

export interface CardModel {
  readonly name: string;
  /** Lower case with colons. */
  readonly mac: string;
  readonly vendor: string;
  readonly product: string;
  readonly driver: string;
  readonly speed: number;
}

export interface MachineModel {
  /** From 0. */
  readonly number: number;
  /** In lower case, as SMBIOS tells it. */
  readonly uuid: string;
  readonly serial: string;
  readonly firmware: Firmware;
  readonly architecture: 'amd64';
  readonly vendor: string;
  readonly product: string;
  readonly bios: { readonly version: string; readonly date: string };
  readonly cpu: { readonly model: string; readonly count: number; readonly sockets: number; readonly mhz: number };
  readonly memoryMib: number;
  readonly disks: readonly DiskModel[];
  /** The first one boots. */
  readonly cards: readonly CardModel[];
}

const boards = [
  { vendor: 'Dell Inc.', product: 'PowerEdge R650', oui: 'b0:7b:25', bios: '1.10.2' },
  { vendor: 'Dell Inc.', product: 'PowerEdge R750', oui: 'b0:7b:25', bios: '1.9.2' },
  { vendor: 'HPE', product: 'ProLiant DL360 Gen10', oui: '94:40:c9', bios: 'U32' },
  { vendor: 'HPE', product: 'ProLiant DL380 Gen10 Plus', oui: '94:40:c9', bios: 'U46' },
  { vendor: 'Lenovo', product: 'ThinkSystem SR630 V2', oui: '38:68:dd', bios: 'AFE126K' },
  { vendor: 'Supermicro', product: 'SYS-1029P-WTR', oui: '3c:ec:ef', bios: '3.8a' },
] as const;

const processors = [
  { model: 'Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz', threads: 24, mhz: 2100 },
  { model: 'Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz', threads: 64, mhz: 2000 },
  { model: 'AMD EPYC 7313P 16-Core Processor', threads: 32, mhz: 3000 },
  { model: 'AMD EPYC 7443 24-Core Processor', threads: 48, mhz: 2850 },
] as const;

const cards = [
  { vendor: '0x8086', product: '0x1572', driver: 'i40e', speed: 10_000 },
  { vendor: '0x15b3', product: '0x1017', driver: 'mlx5_core', speed: 25_000 },
  { vendor: '0x14e4', product: '0x16d7', driver: 'bnxt_en', speed: 25_000 },
  { vendor: '0x8086', product: '0x1521', driver: 'igb', speed: 1_000 },
] as const;

const nvmeDrives = [
  { model: 'SAMSUNG MZQL2960HCJR-00A07', size: 960_197_124_096 },
  { model: 'INTEL SSDPE2KX010T8', size: 1_000_204_886_016 },
  { model: 'KIOXIA KCD61LUL1T92', size: 1_920_383_410_176 },
] as const;

const spinningDrives = [
  { model: 'ST4000NM000B-2TF', size: 4_000_787_030_016 },
  { model: 'TOSHIBA MG08ACA1', size: 16_000_900_661_248 },
] as const;

const letters = 'BCDFGHJKLMNPQRSTVWXYZ0123456789';

function code(random: Random, length: number): string {
  return Array.from({ length }, () => random.pick([...letters])).join('');
}

function uuid(random: Random): string {
  return `${random.hex(8)}-${random.hex(4)}-4${random.hex(3)}-${random.pick(['8', '9', 'a', 'b'])}${random.hex(3)}-${random.hex(12)}`;
}

/** Up to 64 cards of 2^18 machines of one seed have different addresses. */
function mac(oui: string, seed: string, machine: number, card: number): string {
  const start = createRandom(`${seed}/mac`).integer(0, 2 ** 24 - 1);
  const low = (start + machine * 64 + card) % 2 ** 24;
  return `${oui}:${low
    .toString(16)
    .padStart(6, '0')
    .replace(/(..)(..)(..)/, '$1:$2:$3')}`;
}

function disksOf(random: Random): DiskModel[] {
  const drive = random.pick(nvmeDrives);
  const flash = Array.from({ length: random.pick([1, 1, 2, 2, 4]) }, (_, index): DiskModel => {
    const serial = `S${code(random, 13)}`;
    return {
      name: `nvme${index}n1`,
      model: drive.model,
      serial,
      wwn: `eui.${random.hex(16)}`,
      size: drive.size,
      blockSize: 512,
      rotational: false,
    };
  });
  if (!random.chance(0.3)) return flash;
  const spinning = random.pick(spinningDrives);
  const slow = Array.from({ length: random.integer(1, 4) }, (_, index): DiskModel => {
    const name = `sd${'abcdefgh'[index] ?? 'z'}`;
    return {
      name,
      model: spinning.model,
      serial: `Z${code(random, 7)}`,
      wwn: `0x5000c500${random.hex(8)}`,
      size: spinning.size,
      blockSize: 4096,
      rotational: true,
    };
  });
  return [...flash, ...slow];
}

/** The machine with this number of the fleet with this seed. Pure. */
export function machineModel(seed: string, number: number): MachineModel {
  const random = createRandom(`${seed}/machine/${number}`);
  const board = random.pick(boards);
  const processor = random.pick(processors);
  const sockets = processor.model.startsWith('AMD') ? 1 : random.pick([1, 2]);
  const card = random.pick(cards);
  return {
    number,
    uuid: uuid(random),
    // The number in base 36 keeps two machines from ever having the same one.
    serial: `${code(random, 4)}${number.toString(36).toUpperCase().padStart(4, '0')}`,
    firmware: random.chance(0.5) ? 'uefi' : 'bios',
    architecture: 'amd64',
    vendor: board.vendor,
    product: board.product,
    bios: { version: board.bios, date: `0${random.integer(1, 9)}/1${random.integer(0, 9)}/202${random.integer(2, 5)}` },
    cpu: { model: processor.model, count: processor.threads * sockets, sockets, mhz: processor.mhz },
    memoryMib: random.pick([64, 128, 256, 512]) * 1024 * sockets,
    disks: disksOf(random),
    cards: Array.from({ length: random.pick([2, 2, 4]) }, (_, index) => ({
      name: `eth${index}`,
      mac: mac(board.oui, seed, number, index),
      ...card,
    })),
  };
}

/** What `50-muster-inventory` prints on this machine. */
export function inventoryOf(model: MachineModel, disks: readonly DiskModel[] = model.disks): Inventory {
  const { vendor, product, serial } = model;
  return {
    schema: 1,
    architecture: model.architecture,
    firmware: model.firmware,
    hardware_uuid: model.uuid,
    system: { vendor, product, version: '', serial },
    mainboard: { vendor, product: `0${serial.slice(0, 4)}`, serial: `.${serial}.` },
    bios: { vendor, ...model.bios },
    cpu: model.cpu,
    memory_mib: model.memoryMib,
    ...devicesOf(model, disks),
    disks: disks.map((disk, index) => ({
      name: disk.name,
      model: disk.model,
      serial: disk.serial,
      wwn: disk.wwn,
      size: disk.size,
      block_size: disk.blockSize,
      rotational: disk.rotational,
      removable: false,
      bus: `pci-${diskAddress(disk, index)}`,
      id_path: disk.name.startsWith('nvme')
        ? `/dev/disk/by-id/nvme-${disk.model.replaceAll(' ', '_')}_${disk.serial}`
        : `/dev/disk/by-id/wwn-${disk.wwn}`,
    })),
    interfaces: model.cards.map((card, index) => ({
      name: card.name,
      mac: card.mac,
      vendor: card.vendor,
      product: card.product,
      driver: card.driver,
      speed_mbps: index < 2 ? card.speed : -1,
      link: index < 2,
      boot: index === 0,
      pci: cardAddress(index),
    })),
  };
}
