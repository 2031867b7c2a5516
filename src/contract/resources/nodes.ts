/** Nodes: machines, devices and controllers in one list. */
import { Type } from 'typebox';
import { get, remove, resource } from '../route.ts';
import { Device } from './devices.ts';
import { Nothing } from './field.ts';
import { machineFilters } from './machine-filters.ts';
import { Machine } from './machine.ts';
import { details, isRegistered, powerParameters, setZone } from './node-actions.ts';
import { RackController } from './rack-controllers.ts';

/** Whichever it is: `node_type` says which. */
export const Node = Type.Union([Machine, Device, RackController]);

export const nodes = {
  ...resource('Nodes', 'nodes/', 'Everything that has a system_id: machines, devices and controllers.', {
    read: get({
      doc: 'List machines, devices and controllers, by system_id.',
      params: machineFilters,
      // Keys that are no filter reach the handler, which refuses them.
      free: true,
      reply: Type.Array(Node),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['id', 'system_id', 'hostname', 'mac_address', 'owner', 'agent_name'],
    }),
    is_registered: isRegistered,
    set_zone: setZone,
  }),
  ...resource('Node', 'nodes/{system_id}/', 'One machine, device or controller.', {
    read: get({
      doc: 'Read a node: the body is that of a machine, a device, or a rack controller.',
      reply: Node,
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
    delete: remove({
      doc: 'Forget a node.\n\nWhat holds for deleting a machine, a device or a controller holds here.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found', 'not_owner', 'forbidden', 'wrong_state', 'machine_busy', 'in_use', 'conflict'],
      policy: 'user',
      reach: 'id',
    }),
    details,
    power_parameters: powerParameters,
  }),
};
