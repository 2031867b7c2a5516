/** Beginning and stopping imports. The authority's own worker sees by the document that there is something to do, in whatever process it is. */
import type { Handlers } from '../../http/handler.ts';
import { askForImport, endImport } from '../image-import/import-document.ts';
import { commit, type WritesTo } from './context.ts';

/** `now`: for tests. */
export function bootImports(to: WritesTo, now: () => Date = () => new Date()): Handlers<`BootResources.${'import' | 'stop_import'}`> {
  return {
    'BootResources.import': async (call) => {
      await commit(to, call, 'config', (draft) => askForImport(draft, call.caller.username, now()));
      return 'Import of boot resources started';
    },
    'BootResources.stop_import': async (call) => {
      await commit(to, call, 'config', endImport);
      return 'Import of boot resources stopped';
    },
  };
}
