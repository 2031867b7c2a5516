/** What commissioning reports of a machine: the JSON that `50-muster-inventory` prints (docs/agent-protocol.md). Agent and simulator write it, the cell reads it. */
import { Type, type Static } from 'typebox';

/** Hardware leaves out what it does not know, or says it as an empty string. */
const text = Type.Optional(Type.String({ maxLength: 255 }));
const count64 = Type.Integer({ minimum: 0, maximum: 1_000_000_000 });
const count = Type.Integer({ minimum: 0, maximum: 1_000_000 });

const busNumber = Type.Integer({ minimum: 0, maximum: 65_535 });
const PciAddress = Type.String({ pattern: '^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]$' });
const HexId = Type.String({ pattern: '^(0x)?[0-9a-fA-F]{4}$' });
/** -1 where the machine has only one. */
const numaNumber = Type.Integer({ minimum: -1, maximum: 4095 });

export const Inventory = Type.Object({
  schema: Type.Literal(1),
  architecture: Type.String({ minLength: 1, maxLength: 32 }),
  firmware: Type.Enum(['bios', 'uefi']),
  hardware_uuid: text,
  system: Type.Object({ vendor: text, product: text, version: text, serial: text }),
  mainboard: Type.Object({ vendor: text, product: text, serial: text }),
  bios: Type.Object({ vendor: text, version: text, date: text }),
  cpu: Type.Object({
    model: text,
    count,
    sockets: Type.Optional(count),
    mhz: Type.Optional(Type.Number({ minimum: 0, maximum: 100_000 })),
  }),
  memory_mib: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
  disks: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 255 }),
      model: text,
      serial: text,
      wwn: text,
      /** Bytes. */
      size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
      block_size: Type.Integer({ minimum: 1, maximum: 65_536 }),
      rotational: Type.Optional(Type.Boolean()),
      removable: Type.Optional(Type.Boolean()),
      id_path: Type.Optional(Type.String({ maxLength: 4096 })),
      /** `pci-0000:00:04.0` where it hangs on a PCI device. */
      bus: text,
    }),
    { maxItems: 1024 },
  ),
  interfaces: Type.Array(
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 15 }),
      mac: Type.String({ pattern: '^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$' }),
      vendor: text,
      product: text,
      driver: text,
      /** -1 or 0 where the link is down. */
      speed_mbps: Type.Optional(Type.Integer({ minimum: -1, maximum: 10_000_000 })),
      link: Type.Optional(Type.Boolean()),
      /** The one it booted from. */
      boot: Type.Optional(Type.Boolean()),
      /** The PCI device that it is on. */
      pci: Type.Optional(Type.Union([PciAddress, Type.Literal('')])),
    }),
    { maxItems: 1024 },
  ),
  // What follows came with the second release of agents: older ones leave it out.
  pci: Type.Optional(
    Type.Array(
      Type.Object({
        address: PciAddress,
        /** Class, subclass and interface, as PCI numbers them. */
        class: Type.String({ pattern: '^(0x)?[0-9a-fA-F]{6}$' }),
        vendor: HexId,
        product: HexId,
        vendor_name: text,
        product_name: text,
        driver: text,
        numa: Type.Optional(numaNumber),
      }),
      { maxItems: 2048 },
    ),
  ),
  usb: Type.Optional(
    Type.Array(
      Type.Object({
        bus: busNumber,
        device: busNumber,
        vendor: HexId,
        product: HexId,
        vendor_name: text,
        product_name: text,
        driver: text,
      }),
      { maxItems: 1024 },
    ),
  ),
  numa: Type.Optional(
    Type.Array(
      Type.Object({
        node: Type.Integer({ minimum: 0, maximum: 4095 }),
        cores: Type.Array(Type.Integer({ minimum: 0, maximum: 65_535 }), { maxItems: 8192 }),
        memory_mib: count64,
        /** Sizes in KiB, and how many pages of each are set up. */
        hugepages: Type.Optional(Type.Array(Type.Object({ page_size: count64, total: count64 }), { maxItems: 16 })),
      }),
      { maxItems: 256 },
    ),
  ),
});

export type Inventory = Static<typeof Inventory>;
