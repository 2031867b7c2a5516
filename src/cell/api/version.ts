/** What this program is. */
import { capabilities } from '../../contract/resources/program.ts';
import { formatRevisions } from '../../global/revision.ts';
import type { Handlers } from '../../http/handler.ts';
import type { NetworkContext } from './network-context.ts';

/** The version of MAAS whose API this speaks: clients compare it. */
const spoken = '3.7.0';

export function versionHandlers({ global, version, cellName }: NetworkContext): Handlers<'Version.read'> {
  return {
    'Version.read': () => {
      const revision = formatRevisions(global);
      return {
        capabilities: [...capabilities],
        version: spoken,
        subversion: '',
        muster: { version, program: 'cell', name: cellName, revision },
      };
    },
  };
}
