/** Reads the inventory that commissioning's script prints (contract/inventory.ts). Bytes from a machine: never trusted. */
import { Compile } from 'typebox/compile';
import { Inventory } from '../../contract/inventory.ts';
import type { FoundMachine } from '../db/inventory-store.ts';
import { foundHardware } from './found-hardware.ts';
import { usableUuid } from '../db/machine-identity.ts';

const check = Compile(Inventory);
/** An inventory is a few KiB; a machine with 500 disks stays below this. */
export const largestInventory = 512 * 1024;

/** The machine in these bytes, or what is wrong with them in one line. Never throws. */
export function readInventory(stdout: Uint8Array): { readonly found: FoundMachine } | { readonly problem: string } {
  if (stdout.byteLength > largestInventory) return { problem: `the inventory is larger than ${largestInventory} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stdout), storable);
  } catch {
    return { problem: 'the inventory is not JSON of printable text' };
  }
  if (check.Check(value)) return foundMachine(value);
  const first = check.Errors(value)[0];
  return { problem: `the inventory is wrong at ${first?.instancePath || '/'}: ${first?.message ?? 'not as described'}` };
}

/** PostgreSQL stores neither NUL nor half a surrogate pair. @throws RangeError */
function storable(_key: string, value: unknown): unknown {
  if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) throw new RangeError('not a text');
  return value;
}

function foundMachine(inventory: Inventory): { found: FoundMachine } | { problem: string } {
  const { system, mainboard, bios, cpu } = inventory;
  const macs = inventory.interfaces.map((nic) => nic.mac.toLowerCase());
  if (new Set(macs).size < macs.length) return { problem: 'the inventory has one MAC address twice' };
  if (new Set(inventory.disks.map((disk) => disk.name)).size < inventory.disks.length)
    return { problem: 'the inventory has one disk name twice' };
  if (new Set(inventory.interfaces.map((nic) => nic.name)).size < macs.length)
    return { problem: 'the inventory has one interface name twice' };
  const disks = inventory.disks.filter((disk) => !disk.removable && disk.size > 0);
  // Vendors ship disks with one serial for all. What cannot be told apart is kept by its name and never deployed to.
  const isAlone = (disk: (typeof disks)[number]): boolean =>
    disks.filter((one) => (one.wwn || one.serial) === (disk.wwn || disk.serial)).length === 1;
  return {
    found: {
      architecture: inventory.architecture,
      firmware: inventory.firmware,
      hardwareUuid: usableUuid(inventory.hardware_uuid ?? ''),
      serial: system.serial || null,
      cpuCount: cpu.count,
      cpuSpeed: Math.round(cpu.mhz ?? 0),
      memory: inventory.memory_mib,
      hardwareInfo: {
        system_vendor: system.vendor || 'Unknown',
        system_product: system.product || 'Unknown',
        system_version: system.version || 'Unknown',
        system_serial: system.serial || 'Unknown',
        cpu_model: cpu.model || 'Unknown',
        mainboard_vendor: mainboard.vendor || 'Unknown',
        mainboard_product: mainboard.product || 'Unknown',
        mainboard_firmware_version: bios.version || 'Unknown',
        mainboard_firmware_date: bios.date || 'Unknown',
      },
      // Removable media and empty card readers are nothing to deploy to.
      disks: disks.map((disk) => ({
        name: disk.name,
        model: disk.model || null,
        serial: (isAlone(disk) && disk.serial) || null,
        wwn: (isAlone(disk) && disk.wwn) || null,
        id_path: disk.id_path || null,
        size: disk.size,
        block_size: disk.block_size,
        rotational: disk.rotational ?? false,
      })),
      interfaces: inventory.interfaces.map((nic) => ({
        name: nic.name,
        mac: nic.mac.toLowerCase(),
        vendor: nic.vendor || null,
        product: nic.product || null,
        link: nic.link ?? false,
        speed: Math.max(0, nic.speed_mbps ?? 0),
        boot: nic.boot ?? false,
      })),
      hardware: foundHardware(inventory),
    },
  };
}
