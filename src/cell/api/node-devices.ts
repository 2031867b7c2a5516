/** PCI and USB devices of machines. */
import { fail } from '../../contract/errors.ts';
import { isSystemId } from '../../contract/ids.ts';
import { buses } from '../../contract/resources/node-devices.ts';
import { hardwareTypes } from '../../contract/resources/scripts.ts';
import type { Handlers } from '../../http/handler.ts';
import { record } from '../db/event-store.ts';
import { deleteDevice, devicesOf, type NodeDeviceRow } from '../db/hardware-store.ts';
import type { MachineBody } from './machine-body.ts';
import { machineBodyOf } from './machine-page.ts';
import { uri } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { found } from './network-view.ts';

type DeviceRoute = 'NodeDevices.read' | 'NodeDevice.read' | 'NodeDevice.delete';

const typeNames = new Map<number, string>(Object.values(hardwareTypes).map(({ number, name }) => [number, name]));

function deviceBody(row: NodeDeviceRow, machine: MachineBody) {
  return {
    id: row.id,
    bus: buses[row.bus],
    bus_name: row.bus,
    hardware_type: row.hardware_type,
    hardware_type_name: typeNames.get(row.hardware_type) ?? 'Unknown',
    system_id: row.system_id,
    numa_node: row.numa_node,
    physical_blockdevice: machine.blockdevice_set.find((disk) => disk.id === row.disk_id) ?? null,
    physical_interface: machine.interface_set.find((nic) => nic.id === row.interface_id) ?? null,
    vendor_id: row.vendor_id,
    vendor_name: row.vendor_name,
    product_id: row.product_id,
    product_name: row.product_name,
    commissioning_driver: row.commissioning_driver,
    bus_number: row.bus_number,
    device_number: row.device_number,
    pci_address: row.pci_address,
    resource_uri: uri('nodes', row.system_id, 'devices', row.id),
  };
}

/** A word or number of a table as its number. @throws Failure `bad_request` for what is in no table. */
function numberOf(table: Readonly<Record<string, number>>, text: string | undefined, what: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  const known = Object.entries(table).find(([word, number]) => word.toLowerCase() === text.toLowerCase() || String(number) === text);
  if (!known) throw fail('bad_request', { reason: `Unknown ${what}: ${text}.` });
  return known[1];
}

const typeNumbers = Object.fromEntries(Object.entries(hardwareTypes).map(([word, { number }]) => [word, number]));
/** Compared as they are; ids without `0x` and in lower case. */
const texts = ['vendor_id', 'product_id', 'vendor_name', 'product_name', 'commissioning_driver'] as const;

function plain(name: (typeof texts)[number], text: string): string {
  return name.endsWith('_id') ? text.toLowerCase().replace(/^0x/, '') : text;
}

/** By id, PCI address, or `bus:device` on USB. */
function isNamed(row: NodeDeviceRow, name: string): boolean {
  return String(row.id) === name || row.pci_address === name || (row.bus === 'USB' && `${row.bus_number}:${row.device_number}` === name);
}

export function nodeDeviceHandlers(context: NetworkContext): Handlers<DeviceRoute> {
  const { database } = context;
  const rowsOf = (systemId: string) => (isSystemId(systemId) ? devicesOf(database.db, systemId) : Promise.resolve([]));
  return {
    'NodeDevices.read': async ({ path, params }) => {
      const bus = numberOf(buses, params.bus, 'bus');
      const type = numberOf(typeNumbers, params.hardware_type, 'hardware type');
      const wanted = texts.flatMap((name) => (params[name] ? [[name, plain(name, params[name])] as const] : []));
      const [machine, rows] = await Promise.all([machineBodyOf(context, path.system_id), rowsOf(path.system_id)]);
      return rows
        .filter((row) => bus === undefined || buses[row.bus] === bus)
        .filter((row) => type === undefined || row.hardware_type === type)
        .filter((row) => wanted.every(([name, text]) => row[name] === text))
        .map((row) => deviceBody(row, machine));
    },
    'NodeDevice.read': async ({ path }) => {
      const [machine, rows] = await Promise.all([machineBodyOf(context, path.system_id), rowsOf(path.system_id)]);
      return deviceBody(
        found(
          rows.find((row) => isNamed(row, path.id)),
          'NodeDevice',
        ),
        machine,
      );
    },
    'NodeDevice.delete': ({ path, caller }) =>
      database.transaction(async (tx) => {
        const systemId = path.system_id;
        const rows = isSystemId(systemId) ? await devicesOf(tx, systemId) : [];
        const row = found(
          rows.find((one) => isNamed(one, path.id)),
          'NodeDevice',
        );
        // Another call may have been quicker; then it is gone as well.
        if (await deleteDevice(tx, systemId, row.id))
          await record(tx, {
            kind: 'machine_updated',
            systemId,
            username: caller.username,
            description: `Device ${row.pci_address ?? `${row.bus_number}:${row.device_number}`} forgotten`,
          });
      }),
  };
}
