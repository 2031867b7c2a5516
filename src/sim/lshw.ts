/** What lshw and /sys say of a simulated machine beyond disks and cards. Pure. */
import type { Inventory } from '../contract/inventory.ts';
import type { DiskModel, MachineModel } from './machine-model.ts';

type Devices = Required<Pick<Inventory, 'pci' | 'usb' | 'numa'>>;

/** Where the n-th card sits: functions of one slot on the first socket. */
export function cardAddress(index: number): string {
  return `0000:3b:00.${index % 8}`;
}

/** Where the n-th disk sits: NVMe drives have a slot each, the others share a controller. */
export function diskAddress(disk: DiskModel, index: number): string {
  return disk.name.startsWith('nvme') ? `0000:${(0x5e + index).toString(16)}:00.0` : '0000:18:00.0';
}

const hex = (id: string): string => id.replace(/^0x/, '');

export function devicesOf(model: MachineModel, disks: readonly DiskModel[]): Devices {
  const cards = model.cards.map((card, index) => ({
    address: cardAddress(index),
    class: '020000',
    vendor: hex(card.vendor),
    product: hex(card.product),
    driver: card.driver,
    numa: 0,
  }));
  const drives = disks.map((disk, index) => ({
    address: diskAddress(disk, index),
    ...(disk.name.startsWith('nvme')
      ? { class: '010802', vendor: '144d', product: 'a824', driver: 'nvme' }
      : { class: '010700', vendor: '1000', product: '0097', driver: 'mpt3sas' }),
    numa: model.cpu.sockets - 1,
  }));
  const perSocket = model.cpu.count / model.cpu.sockets;
  return {
    pci: [...new Map([...cards, ...drives].map((device) => [device.address, device])).values()],
    usb: [
      {
        bus: 1,
        device: 2,
        vendor: '046b',
        product: 'ff01',
        vendor_name: 'American Megatrends Inc.',
        product_name: 'Virtual Hub',
        driver: 'hub',
      },
    ],
    numa: Array.from({ length: model.cpu.sockets }, (_, node) => ({
      node,
      cores: Array.from({ length: perSocket }, (__, core) => node * perSocket + core),
      memory_mib: model.memoryMib / model.cpu.sockets,
      hugepages: [],
    })),
  };
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** What `60-muster-lshw` prints on this machine. */
export function lshwOf(model: MachineModel, disks: readonly DiskModel[]): string {
  const { cpu } = model;
  const processors = Array.from(
    { length: cpu.sockets },
    (_, index) => `    <node id="cpu:${index}" claimed="true" class="processor" handle="DMI:04${index}0">
     <product>${text(cpu.model)}</product><vendor>${cpu.model.startsWith('AMD') ? 'Advanced Micro Devices [AMD]' : 'Intel Corp.'}</vendor>
     <size units="Hz">${cpu.mhz * 1_000_000}</size><width units="bits">64</width>
     <configuration><setting id="threads" value="${cpu.count / cpu.sockets}" /></configuration>
     <capabilities><capability id="vmx">CPU virtualization</capability></capabilities>
    </node>`,
  );
  const cards = model.cards.map(
    (card, index) => `    <node id="network:${index}" claimed="true" class="network" handle="PCI:${cardAddress(index)}">
     <businfo>pci@${cardAddress(index)}</businfo><logicalname>${text(card.name)}</logicalname><serial>${card.mac}</serial>
     <size units="bit/s">${card.speed * 1_000_000}</size>
     <configuration><setting id="driver" value="${text(card.driver)}" /></configuration>
    </node>`,
  );
  const drives = disks.map(
    (disk, index) => `    <node id="disk:${index}" claimed="true" class="disk">
     <product>${text(disk.model)}</product><logicalname>/dev/${text(disk.name)}</logicalname><serial>${text(disk.serial)}</serial>
     <size units="bytes">${disk.size}</size>
    </node>`,
  );
  return `<?xml version="1.0" standalone="yes" ?>
<list>
<node id="${text(model.serial.toLowerCase())}" claimed="true" class="system" handle="DMI:0001">
 <description>Rack Mount Chassis</description><product>${text(model.product)}</product><vendor>${text(model.vendor)}</vendor>
 <serial>${text(model.serial)}</serial><width units="bits">64</width>
  <node id="core" claimed="true" class="bus" handle="DMI:0200">
   <description>Motherboard</description><vendor>${text(model.vendor)}</vendor>
    <node id="firmware" claimed="true" class="memory"><vendor>${text(model.vendor)}</vendor><version>${text(model.bios.version)}</version></node>
    <node id="memory" claimed="true" class="memory"><size units="bytes">${model.memoryMib * 1024 * 1024}</size></node>
${[...processors, ...cards, ...drives].join('\n')}
  </node>
</node>
</list>
`;
}
