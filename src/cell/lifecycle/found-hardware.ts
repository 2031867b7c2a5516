/** Devices, NUMA nodes and places out of an inventory that has them. Pure. */
import type { Inventory } from '../../contract/inventory.ts';
import { hardwareTypes } from '../../contract/resources/scripts.ts';
import type { FoundDevice, FoundHardware } from '../db/hardware-store.ts';

/** By the first two digits of a PCI class, PCI Code and ID Assignment Specification: what a device is for. */
const ofPciClass: Readonly<Record<string, keyof typeof hardwareTypes>> = {
  '01': 'storage',
  '02': 'network',
  '03': 'gpu',
  '05': 'memory',
  '0b': 'cpu',
  '12': 'gpu',
};

function hexId(text: string): string {
  return text.replace(/^0x/, '').toLowerCase();
}

function pciDevice(found: NonNullable<Inventory['pci']>[number]): FoundDevice {
  const [, bus = '0', device = '0'] = /:([0-9a-f]{2}):([0-9a-f]{2})\./.exec(found.address) ?? [];
  return {
    bus: 'PCIE',
    hardware_type: hardwareTypes[ofPciClass[hexId(found.class).slice(0, 2)] ?? 'node'].number,
    vendor_id: hexId(found.vendor),
    product_id: hexId(found.product),
    vendor_name: found.vendor_name ?? '',
    product_name: found.product_name ?? '',
    commissioning_driver: found.driver ?? '',
    bus_number: Number.parseInt(bus, 16),
    device_number: Number.parseInt(device, 16),
    pci_address: found.address,
    numa_node: Math.max(0, found.numa ?? 0),
  };
}

function usbDevice(found: NonNullable<Inventory['usb']>[number]): FoundDevice {
  return {
    bus: 'USB',
    hardware_type: hardwareTypes.node.number,
    vendor_id: hexId(found.vendor),
    product_id: hexId(found.product),
    vendor_name: found.vendor_name ?? '',
    product_name: found.product_name ?? '',
    commissioning_driver: found.driver ?? '',
    bus_number: found.bus,
    device_number: found.device,
    pci_address: null,
    numa_node: 0,
  };
}

/** What says the same twice counts once: the last. */
function once<T>(items: readonly T[], key: (item: T) => string | number): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}

/** Undefined when the agent did not look. */
export function foundHardware(inventory: Inventory): FoundHardware | undefined {
  const { pci, usb, numa } = inventory;
  if (pci === undefined && usb === undefined && numa === undefined) return undefined;
  const devices = [
    ...once((pci ?? []).map(pciDevice), (device) => device.pci_address ?? ''),
    ...once((usb ?? []).map(usbDevice), (device) => `${device.bus_number}:${device.device_number}`),
  ];
  const disks = inventory.disks.flatMap(({ name, bus }) =>
    bus?.startsWith('pci-') ? [{ disk: name, mac: null, pci_address: bus.slice(4) }] : [],
  );
  const cards = inventory.interfaces.flatMap(({ mac, pci: at }) => (at ? [{ disk: null, mac: mac.toLowerCase(), pci_address: at }] : []));
  return {
    devices,
    numa: once(
      (numa ?? []).map(({ node, cores, memory_mib, hugepages = [] }) => ({ number: node, cores, memory: memory_mib, hugepages })),
      (node) => node.number,
    ),
    places: [...disks, ...cards],
  };
}
