/** What can be asked of all interfaces of a machine at once. */
import { post, resource } from '../route.ts';
import { Machine } from './machine.ts';

const changeErrors = ['not_found', 'forbidden', 'not_owner', 'wrong_state', 'conflict'] as const;

export const machineNetworking = resource('Machine', 'machines/{system_id}/', 'One machine.', {
  clear_default_gateways: post({
    op: 'clear_default_gateways',
    doc: "Forget which links the default route was told to go by.\n\nIt goes by the boot interface's links again, where their subnets have a router.",
    reply: Machine,
    errors: changeErrors,
    policy: 'user',
    reach: 'id',
  }),
  restore_networking_configuration: post({
    op: 'restore_networking_configuration',
    doc: 'Make the network of a machine what it was after commissioning.\n\nBonds, bridges, VLAN interfaces and links go; the boot interface gets an address of its own when the machine is deployed, all others are only up.',
    reply: Machine,
    errors: changeErrors,
    policy: 'admin',
    reach: 'id',
  }),
  restore_default_configuration: post({
    op: 'restore_default_configuration',
    doc: 'Make network and storage of a machine what they were after commissioning.',
    reply: Machine,
    errors: [...changeErrors, 'bad_request'],
    policy: 'admin',
    reach: 'id',
  }),
});
