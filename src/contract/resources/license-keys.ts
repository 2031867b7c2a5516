/** Licence keys of operating systems, by system and release. */
import { Type } from 'typebox';
import { get, post, put, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

export const LicenseKey = Type.Object({
  osystem: Type.String(),
  distro_series: Type.String(),
  license_key: Type.String(),
  resource_uri: Type.String(),
});

const word = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-zA-Z0-9][a-zA-Z0-9_.-]*$' });
const key = required(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' }),
  'The key; for windows five groups of five letters and digits with hyphens between.',
);

export const licenseKeys = {
  ...resource('LicenseKeys', 'license-keys/', 'Licence keys of operating systems.', {
    read: get({ doc: 'List all licence keys.', reply: Type.Array(LicenseKey), policy: 'admin', reach: 'hub' }),
    create: post({
      doc: 'Add a licence key.\n\nThere is one for a system and release.',
      params: {
        osystem: required(word, 'The system, such as windows.'),
        distro_series: required(word, 'The release, such as win2022.'),
        license_key: key,
      },
      reply: LicenseKey,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('LicenseKey', 'license-key/{osystem}/{distro_series}', 'The licence key of one system and release.', {
    read: get({ doc: 'Read a licence key.', reply: LicenseKey, errors: ['not_found'], policy: 'admin', reach: 'hub' }),
    update: put({
      doc: 'Change a licence key.',
      params: { license_key: key },
      reply: LicenseKey,
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
    delete: remove({
      doc: 'Delete a licence key.',
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['not_found'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
