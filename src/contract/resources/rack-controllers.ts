/**
 * Rack controllers, for clients that look for one: the processes of a cell. Each is region and rack at once, so the same ones are region
 * controllers (region-controllers.ts).
 */
import { Type } from 'typebox';
import { get, optional, post, put, remove, required, resource } from '../route.ts';
import { Domain } from './domains.ts';
import { Description, Dictionary, Nothing, nullable, oneOf } from './field.ts';
import { Interface } from './interfaces.ts';
import { machineFilters } from './machine-filters.ts';
import { Machine, PowerState } from './machine.ts';
import { comment, details, isRegistered, powerParameters, setZone } from './node-actions.ts';
import { Zone } from './zones.ts';

const scriptFields = Type.Pick(Machine, [
  'current_commissioning_result_id',
  'current_testing_result_id',
  'current_installation_result_id',
  'commissioning_status',
  'commissioning_status_name',
  'testing_status',
  'testing_status_name',
  'cpu_test_status',
  'cpu_test_status_name',
  'memory_test_status',
  'memory_test_status_name',
  'network_test_status',
  'network_test_status_name',
  'storage_test_status',
  'storage_test_status_name',
  'interface_test_status',
  'interface_test_status_name',
  'other_test_status',
  'other_test_status_name',
]);

export const RackController = Type.Interface([scriptFields], {
  system_id: Type.String(),
  hostname: Type.String(),
  description: Type.String(),
  hardware_uuid: nullable(Type.String()),
  domain: Domain,
  fqdn: Type.String(),
  architecture: nullable(Type.String()),
  cpu_count: Type.Integer(),
  cpu_speed: Type.Integer(),
  memory: Type.Integer(),
  swap_size: nullable(Type.Integer()),
  osystem: Type.String(),
  distro_series: Type.String(),
  power_type: Type.String(),
  power_state: PowerState,
  hardware_info: Dictionary,
  ip_addresses: Type.Array(Type.String()),
  interface_set: Type.Array(Interface),
  zone: Zone,
  status_action: nullable(Type.String()),
  tag_names: Type.Array(Type.String()),
  version: Type.String(),
  node_type: Type.Integer(),
  node_type_name: Type.String(),
  service_set: Type.Array(Type.Object({ name: Type.String(), status: Type.String(), status_info: Type.String() })),
  resource_uri: Type.String(),
});

/** Which images a process has in its own folder. */
const BootImages = Type.Object({
  connected: Type.Boolean(),
  /** `synced`: all that the catalogue has; else `out-of-sync`. */
  status: oneOf('synced', 'out-of-sync'),
  images: Type.Array(Type.Object({ name: Type.String(), architecture: Type.String(), subarches: Type.Array(Type.String()) })),
});

/** One power driver; contract/power-types.ts has them all. */
const PowerType = Type.Object({
  driver_type: Type.Literal('power'),
  name: Type.String(),
  description: Type.String(),
  chassis: Type.Boolean(),
  can_probe: Type.Boolean(),
  queryable: Type.Boolean(),
  missing_packages: Type.Array(Type.String()),
  fields: Type.Array(
    Type.Object({
      name: Type.String(),
      label: Type.String(),
      field_type: Type.String(),
      choices: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 })),
      default: Type.Union([Type.String(), Type.Array(Type.String())]),
      required: Type.Boolean(),
      scope: Type.String(),
      secret: Type.Boolean(),
    }),
  ),
});

/** What may be changed of a controller. What it is called and what it is made of, its process says. */
export const controllerChanges = {
  description: optional(Description, 'What it is for; empty, the one that it has by itself.'),
  zone: optional(Type.String(), 'The name of its new zone.'),
  power_type: optional(Type.String(), 'Only manual: nothing but hands switches a controller.'),
  power_parameters: optional(Dictionary, 'Refused: manual power has no settings.'),
  power_parameters_skip_check: optional(Type.Boolean(), 'Accepted for clients that send it: there is nothing to check.'),
};

/** What lists of controllers are asked with. */
export const controllerList = {
  params: machineFilters,
  // Keys that are no filter reach the handler, which refuses them.
  free: true,
  policy: 'user',
  reach: 'gather',
  partial: true,
  names: ['id', 'system_id', 'hostname', 'mac_address', 'owner', 'agent_name'],
} as const;

/** `force` is MAAS's: there is nothing that a dead process leaves to be forced. */
export const controllerDeletion = {
  doc: 'Forget a controller whose process is dead.\n\nRefused while the process runs: it would be there again a second later.',
  params: { force: optional(Type.Boolean(), 'Accepted for clients that send it: a running process is not forgotten.') },
  reply: Nothing,
  status: 204,
  type: 'none',
  errors: ['not_found', 'wrong_state'],
  policy: 'admin',
  reach: 'id',
} as const;

const one = { reply: RackController, errors: ['not_found', 'wrong_state'], policy: 'admin', reach: 'id' } as const;
const scripts = Type.String({ maxLength: 4096 });

export const rackControllers = {
  ...resource('RackControllers', 'rackcontrollers/', 'The processes of the cells, as racks.', {
    read: get({
      ...controllerList,
      doc: 'List the processes of the cells as rack controllers.\n\nThe filters are those of machines.',
      reply: Type.Array(RackController),
    }),
    describe_power_types: get({
      op: 'describe_power_types',
      doc: 'List the power drivers and what each must be told.',
      reply: Type.Array(PowerType),
      policy: 'user',
      reach: 'any',
    }),
    import_boot_images: post({
      op: 'import_boot_images',
      doc: 'Have all processes look for images that they lack, now.\n\nThey do it by themselves as well.',
      reply: Type.Null(),
      status: 202,
      policy: 'admin',
      reach: 'gather',
    }),
    is_registered: isRegistered,
    power_parameters: get({
      op: 'power_parameters',
      doc: 'Show the power settings of controllers: they have none.',
      params: { id: required(Type.Array(Type.String(), { minItems: 1 }), 'The system_id of one; may be repeated.') },
      reply: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())),
      policy: 'admin',
      reach: 'split',
    }),
    set_zone: setZone,
  }),
  ...resource('RackController', 'rackcontrollers/{system_id}/', 'One process of a cell, as a rack.', {
    read: get({ ...one, doc: 'Read a controller.', errors: ['not_found'], policy: 'user' }),
    update: put({
      ...one,
      doc: 'Change what is said of a controller.',
      params: { ...controllerChanges, domain: optional(Type.String(), 'The name or id of the domain that it shows itself in.') },
      errors: ['not_found'],
    }),
    delete: remove(controllerDeletion),
    abort: post({ ...one, op: 'abort', doc: 'Refused: nothing is ever being done to a controller.', params: { comment } }),
    details,
    import_boot_images: post({
      ...one,
      op: 'import_boot_images',
      doc: 'Have this process look for images that it lacks, now.\n\nIt does it by itself as well.',
      reply: Type.Null(),
      status: 202,
      errors: ['not_found'],
    }),
    list_boot_images: get({
      ...one,
      op: 'list_boot_images',
      doc: 'List the images that this process has in its own folder.',
      reply: BootImages,
      errors: ['not_found'],
      policy: 'user',
    }),
    override_failed_testing: post({
      ...one,
      op: 'override_failed_testing',
      doc: 'Refused: controllers are not tested.',
      params: { comment },
    }),
    power_off: post({
      ...one,
      op: 'power_off',
      doc: 'Refused: a controller has no power driver here.',
      params: { stop_mode: optional(oneOf('hard', 'soft'), 'How.'), comment },
    }),
    power_on: post({
      ...one,
      op: 'power_on',
      doc: 'Refused: a controller has no power driver here.',
      params: { user_data: optional(Type.String({ maxLength: 1_400_000 }), 'What cloud-init shall do, in base64.'), comment },
    }),
    power_parameters: powerParameters,
    query_power_state: get({
      ...one,
      op: 'query_power_state',
      doc: 'Is a controller on?\n\nIt is while its process shows signs of life; otherwise that is unknown.',
      reply: Type.Object({ state: PowerState }),
      errors: ['not_found'],
      policy: 'user',
    }),
    test: post({
      ...one,
      op: 'test',
      doc: 'Refused: controllers are not tested.',
      params: {
        enable_ssh: optional(Type.Boolean(), 'Whether one may log in meanwhile.'),
        testing_scripts: optional(scripts, 'Names or tags of scripts, separated by commas.'),
        parameters: optional(scripts, 'Parameters of the scripts, as JSON.'),
      },
    }),
  }),
};
