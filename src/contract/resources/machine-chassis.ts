/** Adding every machine that a chassis, or a range of BMCs, has. */
import { Type } from 'typebox';
import { optional, post, required, resource } from '../route.ts';
import { oneOf } from './field.ts';

/** Types whose machines can be listed or tried. */
export const chassisTypes = ['ipmi', 'redfish'] as const;
/** MAAS's other types: named, so that what is refused is known. */
const foreignTypes = ['hmcz', 'mscm', 'msftocs', 'powerkvm', 'proxmox', 'recs_box', 'sm15k', 'ucsm', 'virsh', 'vmware'] as const;

/** Addresses that one call tries. */
export const mostAddresses = 256;

export const machineChassis = resource('Machines', 'machines/', 'Machines: everything that can be deployed.', {
  add_chassis: post({
    op: 'add_chassis',
    doc: 'Add all machines of a chassis, or behind a range of BMCs.\n\nThe BMCs are asked at once, and the reply has a line for each machine: added, there already, or why not. Calling again adds what is missing.',
    params: {
      chassis_type: required(
        oneOf(...chassisTypes, ...foreignTypes),
        'What kind of BMC it is. Only ipmi and redfish are built; the others are refused.',
      ),
      hostname: required(
        Type.String({ minLength: 1, maxLength: 2048 }),
        `The address of the BMC; of ipmi and redfish also a range such as 10.0.0.10-10.0.0.40 or 10.0.0.0/28, up to ${mostAddresses} addresses.`,
      ),
      username: optional(Type.String({ maxLength: 255 }), 'The user of the BMCs.'),
      password: optional(Type.String({ maxLength: 255 }), 'The password of that user.'),
      accept_all: optional(Type.Boolean(), 'Commission what was added at once.'),
      domain: optional(Type.String(), 'The name or id of the domain of the machines; left out, the default one.'),
      prefix_filter: optional(Type.String({ maxLength: 255 }), 'Only systems whose name begins with this.'),
      rack_controller: optional(
        Type.String({ maxLength: 255 }),
        'Accepted for clients that send it: every process of a cell reaches its BMCs.',
      ),
      verify_ssl: optional(Type.Boolean(), 'Whether the certificate of a redfish BMC must be good; true when left out.'),
      port: optional(Type.Integer({ minimum: 1, maximum: 65_535 }), 'The port of a redfish BMC, when it is not the usual one.'),
      protocol: optional(oneOf('http', 'https'), 'How a redfish BMC is spoken to; https when left out.'),
      power_control: optional(Type.String({ maxLength: 255 }), 'For types that are not built.'),
      token_name: optional(Type.String({ maxLength: 255 }), 'For types that are not built.'),
      token_secret: optional(Type.String({ maxLength: 255 }), 'For types that are not built.'),
      cell: optional(Type.String(), 'The cell that gets them; needed at a front when domain does not say so.'),
    },
    reply: Type.String(),
    type: 'text',
    errors: ['unplaced', 'bad_request', 'drained'],
    policy: 'admin',
    reach: 'place',
  }),
});
