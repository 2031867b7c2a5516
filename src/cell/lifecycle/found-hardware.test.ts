// Inventories with and without what agents of the second release look at.
import { expect, test } from 'vitest';
import { inventoryOf, machineModel } from '../../sim/machine-model.ts';
import { readInventory } from './inventory.ts';

const model = machineModel('hardware', 3);
const inventory = inventoryOf(model);
const read = (value: unknown) => readInventory(Buffer.from(JSON.stringify(value)));

test('a simulated machine’s devices, NUMA nodes and places', () => {
  const reading = read(inventory);
  if ('problem' in reading) throw new Error(reading.problem);
  const { hardware } = reading.found;
  expect(hardware?.numa.map((node) => node.number)).toEqual(Array.from({ length: model.cpu.sockets }, (_, index) => index));
  expect(hardware?.numa.flatMap((node) => node.cores)).toHaveLength(model.cpu.count);
  const card = hardware?.devices.find((device) => device.pci_address === '0000:3b:00.0');
  expect(card).toMatchObject({ bus: 'PCIE', hardware_type: 4, bus_number: 0x3b, device_number: 0, numa_node: 0 });
  expect(card?.vendor_id).toMatch(/^[0-9a-f]{4}$/);
  expect(hardware?.devices.filter((device) => device.bus === 'USB')).toHaveLength(1);
  expect(hardware?.places).toContainEqual({ disk: null, mac: model.cards[0]?.mac, pci_address: '0000:3b:00.0' });
  expect(hardware?.places.filter((place) => place.disk !== null)).toHaveLength(model.disks.length);
});

test('an agent of the first release says nothing of them, and its inventory is taken as before', () => {
  const { pci, usb, numa, ...first } = inventory;
  expect([pci, usb, numa].every(Array.isArray)).toBe(true);
  const reading = read({ ...first, interfaces: first.interfaces.map((nic) => ({ ...nic, pci: undefined })) });
  expect(reading).toMatchObject({ found: { hardware: undefined, memory: model.memoryMib } });
});

test('what says the same twice counts once', () => {
  const [device] = inventory.pci ?? [];
  const reading = read({ ...inventory, pci: [device, device], usb: [...(inventory.usb ?? []), ...(inventory.usb ?? [])], numa: [] });
  if ('problem' in reading) throw new Error(reading.problem);
  expect(reading.found.hardware?.devices).toHaveLength(2);
});

test.each([
  ['an address that is none', { pci: [{ address: '../..', class: '020000', vendor: '8086', product: '1572' }] }],
  ['a vendor that is none', { pci: [{ address: '0000:00:01.0', class: '020000', vendor: 'Intel', product: '1572' }] }],
  ['a core that is no number', { numa: [{ node: 0, cores: ['a'], memory_mib: 1 }] }],
  ['too many devices', { usb: Array.from({ length: 1025 }, () => inventory.usb?.[0]) }],
  ['no list', { pci: 'none' }],
])('%s makes an inventory that is refused', (_, wrong) => {
  expect(read({ ...inventory, ...wrong })).toMatchObject({ problem: expect.stringMatching(/inventory is wrong at/) });
});

test.each([
  ['010802', 3],
  ['020000', 4],
  ['030000', 5],
  ['120000', 5],
  ['050000', 2],
  ['0b4000', 1],
  ['060400', 0],
  ['ffffff', 0],
])('PCI class %s is hardware type %i', (pciClass, type) => {
  const reading = read({ ...inventory, pci: [{ address: '0000:00:01.0', class: pciClass, vendor: '0x8086', product: '0xABCD' }] });
  if ('problem' in reading) throw new Error(reading.problem);
  expect(reading.found.hardware?.devices[0]).toMatchObject({ hardware_type: type, vendor_id: '8086', product_id: 'abcd' });
});
