/** What can be asked of every kind of node alike: machines, devices and controllers. */
import { Type } from 'typebox';
import { get, optional, post, required } from '../route.ts';
import { Comment, MacAddress } from './field.ts';

/** Anybody may ask: a machine that is about to enlist does, before it has any key. */
export const isRegistered = get({
  op: 'is_registered',
  doc: 'Is a node with this MAC address known?',
  params: { mac_address: required(MacAddress, 'The MAC address.') },
  reply: Type.Boolean(),
  policy: 'anonymous',
  reach: 'gather',
  names: ['mac_address'],
});

export const setZone = post({
  op: 'set_zone',
  doc: 'Put nodes into a zone.\n\nAll of them, or none in a cell where one is not there.',
  params: {
    zone: required(Type.String(), 'The name of the zone.'),
    nodes: required(Type.Array(Type.String(), { minItems: 1 }), 'The system_id of one; may be repeated.'),
  },
  reply: Type.Null(),
  errors: ['bad_request'],
  policy: 'admin',
  reach: 'split',
});

export const details = get({
  op: 'details',
  doc: 'Fetch what lshw and lldpd said of a node, as BSON.\n\nlshw and lldp: the XML that its last commissioning reported, or null. Devices and controllers are not looked into: both are null.',
  reply: Type.Unknown(),
  type: 'bson',
  errors: ['not_found'],
  policy: 'user',
  reach: 'id',
});

export const powerParameters = get({
  op: 'power_parameters',
  doc: 'Show the power settings of a node, secrets in clear.\n\nOnly machines have any. Every call for a machine is written to the audit events.',
  reply: Type.Record(Type.String(), Type.Unknown()),
  errors: ['not_found'],
  policy: 'admin',
  reach: 'id',
});

export const comment = optional(Comment, 'A remark for the event log.');
