/** Giving machines the network and storage configuration of another one. */
import { Type } from 'typebox';
import { optional, post, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

/** Machines that one call configures. */
export const mostDestinations = 100;

const Name = Type.String({ minLength: 1, maxLength: 64 });

export const machineClone = resource('Machines', 'machines/', 'Machines: everything that can be deployed.', {
  clone: post({
    op: 'clone',
    doc: 'Configure machines like another one.\n\nWhat they had configured is replaced: of all of them, or, when one of them cannot be configured so, of none. Interfaces are matched by name, then by order; the boot disk with the boot disk, the other disks by name, then by size. Addresses are unique: where the source has a static one, the destinations get one of the same subnet when they are deployed.',
    params: {
      source: required(Name, 'The system_id of the machine to copy from. No operation may be going on on it.'),
      destinations: required(
        Type.Array(Name, { minItems: 1, maxItems: mostDestinations }),
        `The system_id of a machine to configure, which is Ready or Failed testing; may be repeated, up to ${mostDestinations} times. All are of the cell of the source.`,
      ),
      interfaces: optional(
        Type.Boolean(),
        'Copy VLANs, bonds, bridges, VLAN interfaces, links to subnets, default gateways, MTUs and tags of interfaces. Either this or storage must be true.',
      ),
      storage: optional(
        Type.Boolean(),
        'Copy partitions, file systems with their mounts, volume groups, RAIDs, bcaches, datastores and special file systems.',
      ),
      cell: optional(Type.String(), 'Not needed: the ids say which cell it is.'),
    },
    reply: Nothing,
    status: 204,
    type: 'none',
    errors: ['unplaced', 'bad_request', 'conflict'],
    policy: 'admin',
    reach: 'place',
  }),
});
