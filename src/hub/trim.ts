/** What the hub forgets besides what every authority does. */
import type { Authority } from '../global/authority.ts';
import { trimGlobal } from '../global/trim.ts';
import { dropOldProgress } from './db/progress-store.ts';
import { asHub } from './db/join-token-store.ts';

/** Once. `kept`: for tests. */
export async function trimHub(authority: Authority, kept?: number): Promise<void> {
  await trimGlobal(authority, kept);
  await dropOldProgress(asHub(authority.db));
}
