/** What a machine told of itself beyond its record: hardware documents, and how it is or would be installed. */
import { Type } from 'typebox';
import { get, resource } from '../route.ts';
import { nullable } from './field.ts';
import { details } from './node-actions.ts';

export const machineHardware = resource('Machine', 'machines/{system_id}/', 'One machine.', {
  details,
  get_token: get({
    op: 'get_token',
    doc: 'Ask for the key that a machine talks to its metadata with.\n\nAlways null: only hashes of keys are kept.',
    reply: nullable(Type.Object({ token_key: Type.String(), token_secret: Type.String(), consumer_key: Type.String() })),
    errors: ['not_found'],
    policy: 'user',
    reach: 'id',
  }),
  get_curtin_config: get({
    op: 'get_curtin_config',
    doc: 'Describe how a machine is installed, in the shape of a curtin config (YAML).\n\nOnly while it is being deployed and afterwards.',
    reply: Type.String(),
    type: 'text',
    errors: ['not_found', 'bad_request'],
    policy: 'user',
    reach: 'id',
  }),
});
