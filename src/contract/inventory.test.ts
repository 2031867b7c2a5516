import { expect, test } from 'vitest';
import { Compile } from 'typebox/compile';
import { Inventory } from './inventory.ts';

const check = Compile(Inventory);

/** What a small virtual machine reports. */
const inventory = {
  schema: 1,
  architecture: 'amd64',
  firmware: 'bios',
  hardware_uuid: '5a1de0a4-32a5-4a5e-9b86-30c8a0a10007',
  system: { vendor: 'QEMU', product: 'Standard PC', version: 'pc-q35', serial: '' },
  mainboard: { vendor: '', product: '', serial: '' },
  bios: { vendor: 'SeaBIOS', version: '1.16', date: '04/01/2014' },
  cpu: { model: 'QEMU Virtual CPU', count: 1, sockets: 1, mhz: 2400.1 },
  memory_mib: 982,
  disks: [
    {
      name: 'vda',
      model: '',
      serial: 'D7',
      wwn: '',
      size: 10_737_418_240,
      block_size: 512,
      rotational: true,
      removable: false,
      id_path: '',
    },
  ],
  interfaces: [
    { name: 'eth0', mac: '52:54:00:40:01:07', vendor: '', product: '', driver: 'virtio_net', speed_mbps: -1, link: true, boot: true },
  ],
};

test('an inventory with empty serials and a link of unknown speed is read', () => {
  expect([...check.Errors(inventory)]).toEqual([]);
});

test('what is not an inventory is refused', () => {
  for (const wrong of [
    {},
    null,
    { ...inventory, schema: 2 },
    { ...inventory, disks: {} },
    { ...inventory, interfaces: [{ name: 'eth0', mac: 'x' }] },
  ]) {
    expect(check.Check(wrong)).toBe(false);
  }
});
