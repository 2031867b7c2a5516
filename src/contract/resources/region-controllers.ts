/** Region controllers, for clients that look for one: the same processes that are rack controllers (rack-controllers.ts). */
import { Type } from 'typebox';
import { get, put, remove, resource } from '../route.ts';
import { details, isRegistered, powerParameters, setZone } from './node-actions.ts';
import { controllerChanges, controllerDeletion, controllerList, RackController } from './rack-controllers.ts';

export const regionControllers = {
  ...resource('RegionControllers', 'regioncontrollers/', 'The processes of the cells, as regions.', {
    read: get({
      ...controllerList,
      doc: 'List the processes of the cells as region controllers.\n\nThe filters are those of machines.',
      reply: Type.Array(RackController),
    }),
    is_registered: isRegistered,
    set_zone: setZone,
  }),
  ...resource('RegionController', 'regioncontrollers/{system_id}/', 'One process of a cell, as a region.', {
    read: get({ doc: 'Read a controller.', reply: RackController, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Change what is said of a controller.',
      params: controllerChanges,
      reply: RackController,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'id',
    }),
    delete: remove(controllerDeletion),
    details,
    power_parameters: powerParameters,
  }),
};
