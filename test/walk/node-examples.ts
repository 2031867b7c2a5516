// Examples of devices, of nodes of any kind, and of a cell's processes as controllers.
import type { ErrorCode } from '../../src/contract/errors.ts';
import { just, onMachine, type Example, type Examples } from './example.ts';
import type { Person, Values, World } from './world.ts';

/** A device of ann's. */
async function device(world: World): Promise<string> {
  const { system_id } = await world.must('ann', 'POST', 'devices/', { mac_addresses: world.mac() });
  return String(system_id);
}

const onDevice =
  (fields: Values = {}, as: Person = 'ann') =>
  async (world: World): Promise<Example> => ({ path: { system_id: await device(world) }, fields, as });

async function controller(world: World): Promise<Record<string, string>> {
  const [first] = await world.must('admin', 'GET', 'rackcontrollers/');
  return { system_id: String(first.system_id) };
}

const onController =
  (fields: Values = {}) =>
  async (world: World): Promise<Example> => ({ path: await controller(world), fields });

/** A process that runs can be neither forgotten nor switched. */
const refusedOn =
  (refused: ErrorCode) =>
  async (world: World): Promise<Example> => ({ path: await controller(world), fields: {}, refused });

const mac = { mac_address: '52:54:00:00:00:99' };

export const nodeExamples: Examples = {
  'Devices.read': just(),
  'Devices.create': (world) => ({ as: 'ann', fields: { mac_addresses: world.mac() } }),
  'Devices.is_registered': just(mac),
  'Devices.set_zone': async (world) => ({ fields: { zone: 'east', nodes: await device(world) } }),
  'Device.read': onDevice(),
  'Device.update': onDevice({ description: 'changed' }),
  'Device.delete': onDevice(),
  'Device.details': onDevice(),
  'Device.power_parameters': onDevice({}, 'admin'),
  'Device.restore_default_configuration': onDevice({}, 'admin'),
  'Device.restore_networking_configuration': onDevice({}, 'admin'),
  'Device.set_owner_data': onDevice({ role: 'printer' }),
  'Device.set_workload_annotations': onDevice({ role: 'printer' }),
  'Nodes.read': just(),
  'Nodes.is_registered': just(mac),
  'Nodes.set_zone': async (world) => ({ fields: { zone: 'east', nodes: [await device(world), await world.machine()] } }),
  'Node.read': onMachine('ready'),
  'Node.delete': onMachine('ready'),
  'Node.details': onMachine('ready'),
  'Node.power_parameters': onMachine('ready'),
  'RackControllers.import_boot_images': just(),
  'RackControllers.is_registered': just(mac),
  'RackControllers.power_parameters': async (world) => ({ fields: { id: (await controller(world))['system_id'] ?? '' } }),
  'RackControllers.set_zone': async (world) => ({ fields: { zone: 'east', nodes: (await controller(world))['system_id'] ?? '' } }),
  'RackController.read': onController(),
  'RackController.update': onController({ description: 'changed' }),
  'RackController.details': onController(),
  'RackController.import_boot_images': onController(),
  'RackController.list_boot_images': onController(),
  'RackController.power_parameters': onController(),
  'RackController.query_power_state': onController(),
  'RackController.delete': refusedOn('wrong_state'),
  'RackController.abort': refusedOn('wrong_state'),
  'RackController.override_failed_testing': refusedOn('wrong_state'),
  'RackController.power_off': refusedOn('wrong_state'),
  'RackController.power_on': refusedOn('wrong_state'),
  'RackController.test': refusedOn('wrong_state'),
  'RegionController.delete': refusedOn('wrong_state'),
  'RegionControllers.read': just(),
  'RegionControllers.is_registered': just(mac),
  'RegionControllers.set_zone': async (world) => ({ fields: { zone: 'east', nodes: (await controller(world))['system_id'] ?? '' } }),
  'RegionController.read': onController(),
  'RegionController.update': onController({ description: 'changed' }),
  'RegionController.details': onController(),
  'RegionController.power_parameters': onController(),
};
