/** Licence keys, one for a system and release. In clear in every cell: machines of the cell would be given them. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { commit, type GlobalReads, type WritesTo } from './context.ts';

type LicenseKey = BodyOf<'license_key'>;
type Place = Pick<LicenseKey, 'osystem' | 'distro_series'>;

const idOf = ({ osystem, distro_series }: Place): string => `${osystem}/${distro_series}`;

/** This path has no slash at its end. */
function licenseKeyBody({ osystem, distro_series, license_key }: LicenseKey) {
  const resource_uri = `/MAAS/api/2.0/license-key/${encodeURIComponent(osystem)}/${encodeURIComponent(distro_series)}`;
  return { osystem, distro_series, license_key, resource_uri };
}

function find(reading: Pick<Reading, 'get'>, place: Place): LicenseKey {
  const key = reading.get('license_key', idOf(place));
  if (!key) throw fail('not_found', { what: 'LicenseKey' });
  return key;
}

export function licenseKeyReads({ reader }: GlobalReads): Handlers<'LicenseKeys.read' | 'LicenseKey.read'> {
  return {
    'LicenseKeys.read': () => reader.list('license_key').map(licenseKeyBody),
    'LicenseKey.read': ({ path }) => licenseKeyBody(find(reader, path)),
  };
}

function put(draft: Draft, key: LicenseKey) {
  const isOfWindows = /^([A-Za-z0-9]{5}-){4}[A-Za-z0-9]{5}$/.test(key.license_key);
  if (key.osystem === 'windows' && !isOfWindows) throw invalid({ license_key: ['Invalid license key.'] });
  draft.put('license_key', idOf(key), key);
  return licenseKeyBody(key);
}

export function licenseKeyWrites(to: WritesTo): Handlers<'LicenseKeys.create' | 'LicenseKey.update' | 'LicenseKey.delete'> {
  return {
    'LicenseKeys.create': (call) =>
      commit(to, call, 'config', (draft) => {
        if (draft.get('license_key', idOf(call.params)))
          throw invalid({ __all__: ['License key with this operating system and distro series already exists.'] });
        return put(draft, call.params);
      }),
    'LicenseKey.update': (call) =>
      commit(to, call, 'config', (draft) => put(draft, { ...find(draft, call.path), license_key: call.params.license_key })),
    'LicenseKey.delete': (call) =>
      commit(to, call, 'config', (draft) => {
        const key = find(draft, call.path);
        // A retired document keeps its last body; the key is not to stay.
        draft.put('license_key', idOf(key), { ...key, license_key: '' });
        draft.retire('license_key', idOf(key));
      }),
  };
}
