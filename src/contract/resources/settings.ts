/** Settings of the whole fleet, by name. The names are MAAS's where MAAS has the setting. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';

const name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-z0-9_]+$' });

export const settings = {
  ...resource('Maas', 'maas/', 'Settings of the whole fleet.', {
    get_config: get({
      op: 'get_config',
      doc: 'Read one setting: a bare JSON value.\n\nPasswords and keys among the settings are for administrators.',
      params: { name: required(name, 'The name of the setting, such as default_distro_series.') },
      reply: Type.Unknown(),
      errors: ['bad_request', 'forbidden'],
      policy: 'user',
      reach: 'hub',
    }),
    set_config: post({
      op: 'set_config',
      doc: 'Change one setting.',
      params: {
        name: required(name, 'The name of the setting.'),
        value: optional(Type.String({ maxLength: 65_536 }), 'The new value; left out, empty.'),
      },
      reply: Type.Literal('OK'),
      type: 'text',
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
