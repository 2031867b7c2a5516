/** PCI and USB devices of a machine, as its last commissioning found them. */
import { Type } from 'typebox';
import { get, optional, remove, resource } from '../route.ts';
import { BlockDevice } from './block-devices.ts';
import { Id, Nothing, nullable, oneOf } from './field.ts';
import { Interface } from './interfaces.ts';

/** Numbers and names of buses, MAAS's. */
export const buses = { PCIE: 1, USB: 2 } as const;

export const NodeDevice = Type.Object({
  id: Id,
  bus: Type.Integer(),
  bus_name: oneOf('PCIE', 'USB'),
  /** Number of hardwareTypes (scripts.ts). */
  hardware_type: Type.Integer(),
  hardware_type_name: Type.String(),
  system_id: Type.String(),
  numa_node: Type.Integer(),
  /** The disk or the interface that hangs on this device, where one does. */
  physical_blockdevice: nullable(BlockDevice),
  physical_interface: nullable(Interface),
  /** Four hexadecimal digits. */
  vendor_id: Type.String(),
  vendor_name: Type.String(),
  product_id: Type.String(),
  product_name: Type.String(),
  /** The kernel module that drove it during commissioning. */
  commissioning_driver: Type.String(),
  bus_number: Type.Integer(),
  device_number: Type.Integer(),
  pci_address: nullable(Type.String()),
  resource_uri: Type.String(),
});

const word = Type.String({ maxLength: 255 });

export const nodeDevices = {
  ...resource('NodeDevices', 'nodes/{system_id}/devices/', 'PCI and USB devices of one machine.', {
    read: get({
      doc: 'List the PCI and USB devices of a machine.\n\nSeveral filters must all hold.',
      params: {
        bus: optional(Type.String({ maxLength: 16 }), 'Only on this bus: PCIE or USB, or their numbers 1 and 2.'),
        hardware_type: optional(Type.String({ maxLength: 64 }), 'Only node, cpu, memory, storage, network or gpu, or their numbers.'),
        vendor_id: optional(word, 'Only of this vendor: four hexadecimal digits.'),
        product_id: optional(word, 'Only this product: four hexadecimal digits.'),
        vendor_name: optional(word, 'Only of the vendor with this name.'),
        product_name: optional(word, 'Only the product with this name.'),
        commissioning_driver: optional(word, 'Only what this kernel module drove.'),
      },
      reply: Type.Array(NodeDevice),
      errors: ['not_found', 'bad_request'],
      policy: 'user',
      reach: 'id',
    }),
  }),
  ...resource('NodeDevice', 'nodes/{system_id}/devices/{id}/', 'One PCI or USB device of a machine.', {
    read: get({
      doc: 'Read a device.\n\nInstead of its id, its PCI address, or its USB bus and device number with a colon between, name it.',
      reply: NodeDevice,
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Forget a device.\n\nThe next commissioning finds it again if it is there.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
  }),
};
